// out = x @ weight^T + bias, in float32: the plain product of a linear layer by the register tile of
// tile.hpp.
#pragma once

#include <cstddef>

#include "core/storage.hpp"

namespace pyfastlm::linear {

struct Problem {
    std::size_t rows, dim, columns;
    const float* x;      // [rows, dim]
    const void* weight;  // [columns, dim], stored as float32, bfloat16 or float16
    Storage storage;
    const float* bias;  // [columns] or null
    float* out;         // [rows, columns]
};

void forward(const Problem& problem, int threads);

}  // namespace pyfastlm::linear
