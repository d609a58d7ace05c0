// Between int8_quantize.cpp (tasks and threads) and int8_quantize_kernel.cpp (one task, once per instruction
// set).
#pragma once

#include "core/int8_quantize.hpp"
#include "core/simd.hpp"

namespace pyfastlm::int8 {

struct QuantizeKernels {
    std::size_t (*scratch_bytes)(std::size_t dim);
    void (*rows)(const float* x, const Rows&, float share, const Kept&, std::size_t begin, std::size_t end,
                 void* scratch);
    void (*panel)(const float* weight, const Weights&, std::size_t panel, void* scratch);
};

}  // namespace pyfastlm::int8
