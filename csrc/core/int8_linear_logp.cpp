#include "core/int8_linear_logp.hpp"

#include "core/int8_linear_logp_kernel.hpp"
#include "core/logit_parts.hpp"

PYFASTLM_KERNELS(int8_linear_logp::Kernels, int8_linear_logp_kernels)

namespace pyfastlm::int8_linear_logp {

void forward(const Problem& problem, const logits::Result<float>& result, int threads) {
    const Kernels kernel = int8_linear_logp_kernels<void>();
    const auto statistics = problem.rows.zero == int8::zero_16 ? kernel.sums16 : kernel.sums32;
    logits::forward(
        problem.rows.count, problem.weights.count, problem.targets, result, kernel.scratch_bytes, threads,
        [&](std::size_t first, logits::Range rows, logits::Range vocab, logits::Partial<float>* out,
            void* scratch) {
            Problem part = problem;
            part.rows.values += first * int8::padded_dim(problem.rows.dim);
            part.rows.scale += first;
            part.targets += first;
            statistics(part, rows, vocab, result.argmax != nullptr, result.entropy != nullptr, out, scratch);
        });
}

}  // namespace pyfastlm::int8_linear_logp
