// Products of a linear layer in 8 bits: rows of activations against columns of weights.
// Contract: pyfastlm/ops/int8_linear.py.
#pragma once

#include "core/int8_layout.hpp"
#include "core/storage.hpp"

namespace pyfastlm::int8_linear {

using int8::Kept;
using int8::Rows;
using int8::Weights;

// Weights as they were, for what is kept of the rows: number (j, k) is at [j * stride + k * step].
struct Source {
    const void* at;
    Storage storage;
    std::size_t stride, step;
};

struct Problem {
    Rows rows;
    Weights weights;
    Kept kept;
    Source source;
    const float* bias;  // [weights.count] or null
    float* out;         // [rows.count, weights.count]
};

// Whether sums of 32 bits cost no more than those of 16 on this processor.
bool fours();

void forward(const Problem& problem, int threads);

}  // namespace pyfastlm::int8_linear
