// Between ranks.cpp (pieces and threads) and ranks_kernel.cpp (one piece, once per instruction set).
#pragma once

#include "core/columns.hpp"
#include "core/simd.hpp"

namespace pyfastlm::ranks {

template <class T>
struct Kernels {
    std::size_t panel;      // columns that are worked on together
    std::size_t row_bytes;  // of scratch, for each row
    std::size_t lanes;      // weights of a row are padded to a multiple of it
    void (*centred)(const Columns<T>&, const Piece&, T* out, void* scratch);
    // weights [rows, padded]
    void (*products)(const Columns<T>&, const Piece&, const T* weights, std::size_t sets, std::size_t padded,
                     T* out, T* squares, void* scratch);
};

}  // namespace pyfastlm::ranks
