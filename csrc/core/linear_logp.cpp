#include "core/linear_logp.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned.hpp"
#include "core/linear_logp_kernel.hpp"
#include "core/logit_parts.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

PYFASTLM_KERNELS(linear_logp::Kernels<T>, linear_logp_kernels)

namespace pyfastlm::linear_logp {

using logits::ceil_div;
using logits::piece;

namespace {

// Rows for each of at most `threads` tasks.
std::size_t share(std::size_t rows, int threads) {
    return std::max<std::size_t>(1, ceil_div(rows, static_cast<std::size_t>(std::max(threads, 1))));
}

}  // namespace

template <class T>
void forward(const Problem<T>& problem, const Result<T>& result, int threads) {
    const Kernels<T> kernel = linear_logp_kernels<T>();
    logits::forward(problem.rows, problem.vocab, problem.targets, result, kernel.scratch_bytes(problem),
                    threads, [&](std::size_t first, Range rows, Range vocab, Partial<T>* out, void* scratch) {
                        Problem<T> part = problem;
                        part.hidden += first * problem.dim;
                        part.targets += first;
                        kernel.statistics(part, rows, vocab, result.argmax != nullptr,
                                          result.entropy != nullptr, out, scratch);
                    });
}

template <class T>
void forward_slope(const Problem<T>& problem, const Result<T>& result, T* slope, int threads) {
    const Kernels<T> kernel = linear_logp_kernels<T>();
    const std::size_t scratch_bytes = kernel.scratch_bytes(problem), step = share(problem.rows, threads);
    std::vector<Partial<T>> partials(problem.rows);
    parallel_for(ceil_div(problem.rows, step), threads, [&](std::size_t task) {
        const Aligned scratch(scratch_bytes);
        kernel.slope(problem, piece(task, step, problem.rows), partials.data(), slope, scratch.get());
    });
    for (std::size_t row = 0; row < problem.rows; ++row)
        logits::write(problem.targets[row], result, row, partials[row]);
}

template <class T>
void grad_hidden(const Problem<T>& problem, const Upstream<T>& upstream, T* grad, int threads) {
    const Kernels<T> kernel = linear_logp_kernels<T>();
    const std::size_t scratch_bytes = kernel.scratch_bytes(problem), step = share(problem.rows, threads);
    parallel_for(ceil_div(problem.rows, step), threads, [&](std::size_t task) {
        const Aligned scratch(scratch_bytes);
        kernel.grad_hidden(problem, upstream, piece(task, step, problem.rows), grad, scratch.get());
    });
}

template <class T>
void grad_weight(const Problem<T>& problem, const Upstream<T>& upstream, void* grad, T* grad_bias,
                 int threads) {
    const Kernels<T> kernel = linear_logp_kernels<T>();
    const std::size_t scratch_bytes = kernel.scratch_bytes(problem), step = kernel.block_columns(problem);
    parallel_for(ceil_div(problem.vocab, step), threads, [&](std::size_t task) {
        const Aligned scratch(scratch_bytes);
        kernel.grad_weight(problem, upstream, piece(task, step, problem.vocab), grad, grad_bias,
                           scratch.get());
    });
}

template void forward(const Problem<float>&, const Result<float>&, int);
template void forward(const Problem<double>&, const Result<double>&, int);
template void forward_slope(const Problem<float>&, const Result<float>&, float*, int);
template void forward_slope(const Problem<double>&, const Result<double>&, double*, int);
template void grad_hidden(const Problem<float>&, const Upstream<float>&, float*, int);
template void grad_hidden(const Problem<double>&, const Upstream<double>&, double*, int);
template void grad_weight(const Problem<float>&, const Upstream<float>&, void*, float*, int);
template void grad_weight(const Problem<double>&, const Upstream<double>&, void*, double*, int);

}  // namespace pyfastlm::linear_logp
