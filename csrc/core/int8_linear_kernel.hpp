// Between int8_linear.cpp (tasks and threads) and int8_linear_kernel.cpp (one task, once per instruction
// set).
#pragma once

#include "core/int8_linear.hpp"
#include "core/simd.hpp"

namespace pyfastlm::int8_linear {

// Part of the result: rows [row, row_end) and columns [column, column_end); column is a multiple of
// block_columns.
struct Task {
    std::size_t row, row_end, column, column_end;
};

struct Kernels {
    std::size_t block_columns;
    void (*bits7)(const Problem&, const Task&);  // for rows of 7 bits
    void (*bits8)(const Problem&, const Task&);
};

}  // namespace pyfastlm::int8_linear
