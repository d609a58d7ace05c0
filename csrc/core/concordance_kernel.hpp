// Between concordance.cpp (pieces and threads) and concordance_kernel.cpp (one panel, once per instruction
// set).
#pragma once

#include <cstdint>

#include "core/columns.hpp"
#include "core/simd.hpp"

namespace pyfastlm::concordance {

// Sets of numbers, one for each row, as bits: of which rows j the number is less than that of row i, and of
// which it is greater. [rows, words, padded], bit j % 64 of word j / 64; sets are padded to vectors.
struct Order {
    std::size_t sets, padded, words;
    const std::uint64_t* less;
    const std::uint64_t* greater;  // null where no two numbers of a set are tied
};

template <class T>
struct Kernels {
    std::size_t panel;      // columns that are worked on together
    std::size_t row_bytes;  // of scratch, for each row
    std::size_t lanes;      // sets are padded to a multiple of it
    // Of one panel, by sorting. False where that cannot be done; out may then hold anything.
    bool (*sorted)(const Columns<T>&, const Piece&, const Order&, T* out, void* scratch);
    // By comparing every two rows: signs [rows (rows - 1) / 2, sets] of the pairs (1, 0), (2, 0), (2, 1),
    // (3, 0) ... of y.
    void (*compared)(const Columns<T>&, const Piece&, const T* signs, std::size_t sets, T* out,
                     void* scratch);
};

}  // namespace pyfastlm::concordance
