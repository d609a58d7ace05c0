// Columns of a matrix, of which the numbers of a row lie side by side, and how they are worked on.
#pragma once

#include <algorithm>
#include <cstddef>

#include "core/aligned.hpp"
#include "core/parallel.hpp"

namespace pyfastlm {

template <class T>
struct Columns {
    std::size_t rows, columns;
    const T* x;          // [rows, columns]
    std::size_t stride;  // numbers from one row to the next
};

// Columns [begin, end).
struct Piece {
    std::size_t begin, end;
};

// Calls work(piece, scratch) for pieces that cover all columns. They are some `panel`s each, so many that it
// lasts long enough to compare every two rows; `row_bytes` of scratch are there for each row, and one more.
template <class T, class Work>
void for_pieces(const Columns<T>& in, std::size_t panel, std::size_t row_bytes, int threads,
                const Work& work) {
    if (in.columns == 0) return;
    constexpr std::size_t pairs_of_a_task = 1 << 22;
    const std::size_t pairs = std::max<std::size_t>(in.rows * in.rows / 2, 1);
    const std::size_t step = std::max<std::size_t>(pairs_of_a_task / pairs / panel, 1) * panel;
    parallel_for((in.columns + step - 1) / step, threads, [&](std::size_t i) {
        const Aligned scratch(row_bytes * (in.rows + 1));
        work(Piece{i * step, std::min(in.columns, (i + 1) * step)}, scratch.get());
    });
}

}  // namespace pyfastlm
