// Between linear.cpp (tasks and threads) and linear_kernel.cpp (one task, once per instruction set).
#pragma once

#include "core/linear.hpp"
#include "core/simd.hpp"

namespace pyfastlm::linear {

// Part of the result: rows [row, row_end) and columns [column, column_end), at most block_columns of them.
struct Task {
    std::size_t row, row_end, column, column_end;
};

struct Kernels {
    std::size_t block_columns;
    std::size_t scratch_bytes;
    void (*forward)(const Problem&, const Task&, void* scratch);
};

}  // namespace pyfastlm::linear
