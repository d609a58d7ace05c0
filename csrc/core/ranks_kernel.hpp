// Between ranks.cpp (tasks and threads) and ranks_kernel.cpp (one task, once per instruction set).
#pragma once

#include "core/ranks.hpp"
#include "core/simd.hpp"

namespace pyfastlm::ranks {

// Part of the result: columns [column, column_end).
struct Task {
    std::size_t column, column_end;
};

template <class T>
struct Kernels {
    std::size_t panel;      // columns that are worked on together
    std::size_t row_bytes;  // of scratch, for each row
    void (*centred)(const Columns<T>&, const Task&, T* out, void* scratch);
    void (*signed_pairs)(const Columns<T>&, const Task&, const T* weights, std::size_t sets, T* out,
                         void* scratch);
};

}  // namespace pyfastlm::ranks
