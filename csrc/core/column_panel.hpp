// Some columns of a matrix, copied side by side for vectors of them: a row of the matrix is a page away from
// the next. For kernel sources: see simd.hpp.
#pragma once

#include "core/columns.hpp"
#include "core/simd.hpp"

namespace pyfastlm::PYFASTLM_ISA {

template <class T>
constexpr std::size_t panel = 4 * lanes<T>;

// Columns [column, column + panel) of all rows, as panel / lanes blocks [rows, lanes]; zeros beyond the end.
template <class T>
void copy_panel(const Columns<T>& in, std::size_t column, std::size_t end, T* to) {
    const std::size_t used = end - column < panel<T> ? end - column : panel<T>;
    for (std::size_t i = 0; i < in.rows; ++i) {
        const T* const row = in.x + i * in.stride + column;
        T tail[panel<T>];
        const T* from = row;
        if (used < panel<T>) {
            for (std::size_t c = 0; c < panel<T>; ++c) tail[c] = c < used ? row[c] : T(0);
            from = tail;
        }
        for (std::size_t v = 0; v < panel<T> / lanes<T>; ++v)
            store(to + (v * in.rows + i) * lanes<T>, load(from + v * lanes<T>));
    }
}

}  // namespace pyfastlm::PYFASTLM_ISA
