// Products of a linear layer in 8 bits: rows of activations against columns of weights.
// Contract: pyfastlm/ops/int8_linear.py.
#pragma once

#include "core/int8_layout.hpp"

namespace pyfastlm::int8_linear {

using int8::Rows;
using int8::Weights;

struct Problem {
    Rows rows;
    Weights weights;
    const float* bias;  // [weights.count] or null
    float* out;         // [rows.count, weights.count]
};

// Whether a row of 8 bits costs no more than one of 7 on this processor.
bool fours();

void forward(const Problem& problem, int threads);

}  // namespace pyfastlm::int8_linear
