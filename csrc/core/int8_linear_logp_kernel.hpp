// Between int8_linear_logp.cpp (tasks, threads, merging) and int8_linear_logp_kernel.cpp (one task, once per
// instruction set).
#pragma once

#include "core/int8_linear_logp.hpp"
#include "core/simd.hpp"

namespace pyfastlm::int8_linear_logp {

struct Kernels {
    using Statistics = void(const Problem&, logits::Range rows, logits::Range vocab, bool argmax,
                            bool entropy, logits::Partial<float>* out, void* scratch);
    std::size_t scratch_bytes;
    Statistics* sums16;
    Statistics* sums32;
};

}  // namespace pyfastlm::int8_linear_logp
