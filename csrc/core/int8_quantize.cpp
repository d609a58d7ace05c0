#include "core/int8_quantize.hpp"

#include <algorithm>

#include "core/aligned.hpp"
#include "core/int8_quantize_kernel.hpp"
#include "core/parallel.hpp"

PYFASTLM_KERNELS(int8::QuantizeKernels, int8_quantize_kernels)

namespace pyfastlm::int8 {

void quantize(const float* x, const Rows& to, float share, const Kept& kept, int threads) {
    constexpr std::size_t together = 32;  // rows of a task
    const QuantizeKernels kernel = int8_quantize_kernels<void>();
    parallel_for((to.count + together - 1) / together, threads, [&](std::size_t i) {
        const Aligned scratch(kernel.scratch_bytes(to.dim));
        kernel.rows(x, to, share, kept, i * together, std::min(to.count, (i + 1) * together), scratch.get());
    });
}

void quantize(const float* weight, const Weights& to, int threads) {
    const QuantizeKernels kernel = int8_quantize_kernels<void>();
    parallel_for(padded_columns(to.count) / panel_columns, threads, [&](std::size_t panel) {
        const Aligned scratch(kernel.scratch_bytes(to.dim));
        kernel.panel(weight, to, panel, scratch.get());
    });
}

}  // namespace pyfastlm::int8
