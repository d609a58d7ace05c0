// Rows of activations and of weights become whole numbers of 8 bits. Contract: pyfastlm/ops/_int8.py.
//
// A row is first rotated by an orthogonal matrix (rotation.hpp). Activations and weights are rotated alike,
// so products stay the same, but an outlier becomes everybody's. The largest number of a row of activations
// then becomes zero - 1; that of a row of weights 127, or less where sums of 16 bits ask for it.
#pragma once

#include "core/int8_layout.hpp"

namespace pyfastlm::int8 {

// x [count, dim]; numbers of more than `share` of their row's length are kept and count as 0.
void quantize(const float* x, const Rows& to, float share, const Kept& kept, int threads);

void quantize(const float* weight, const Weights& to, int threads);  // weight [count, dim]

}  // namespace pyfastlm::int8
