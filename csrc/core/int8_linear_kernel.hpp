// Between int8_linear.cpp (tasks and threads) and int8_linear_kernel.cpp (one task, once per instruction
// set).
#pragma once

#include "core/int8_linear.hpp"
#include "core/simd.hpp"

namespace pyfastlm::int8_linear {

// What rows of a task keep, as in int8_kept.hpp, and memory for count * tile_columns weights.
struct KeptTask {
    const std::size_t* starts;
    const int8::KeptNumber* numbers;
    const std::size_t* columns;
    std::size_t count;  // of columns; 0 where nothing is kept
    float* weights;
};

// Part of the result: rows [row, row_end) and columns [column, column_end); column is a multiple of
// block_columns.
struct Task {
    std::size_t row, row_end, column, column_end;
    KeptTask kept;
};

struct Kernels {
    std::size_t block_columns;
    std::size_t tile_columns;
    void (*sums16)(const Problem&, const Task&);
    void (*sums32)(const Problem&, const Task&);
};

}  // namespace pyfastlm::int8_linear
