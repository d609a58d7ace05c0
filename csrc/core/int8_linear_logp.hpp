// Log-probabilities of targets under softmax(softcap(scale * rows @ weights^T + bias)), with products in 8
// bits and one block of logits at a time. Contract: pyfastlm/ops/int8_linear_logp.py.
#pragma once

#include <cstdint>

#include "core/int8_layout.hpp"
#include "core/logit_partial.hpp"

namespace pyfastlm::int8_linear_logp {

struct Problem {
    int8::Rows rows;
    int8::Weights weights;
    const float* bias;            // [weights.count] or null
    const std::int64_t* targets;  // [rows.count], in [0, weights.count) or logits::ignored
    float softcap;                // 0 for none
    float scale;
};

void forward(const Problem& problem, const logits::Result<float>& result, int threads);

}  // namespace pyfastlm::int8_linear_logp
