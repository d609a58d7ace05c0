#include "core/linear_logp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/aligned.hpp"
#include "core/linear_logp_kernel.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

PYFASTLM_KERNELS(linear_logp::Kernels<T>, linear_logp_kernels)

namespace pyfastlm::linear_logp {
namespace {

constexpr std::size_t rows_at_once = 2048;  // bounds the partial results held for all parts of the vocabulary
constexpr std::size_t rows_per_task = 192;  // at least: fewer would spend too much time packing weights

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Cuts [0, size) into pieces of `step`.
Range piece(std::size_t index, std::size_t step, std::size_t size) {
    return {index * step, std::min((index + 1) * step, size)};
}

// Parts of the vocabulary are a matter of its size alone, so results depend neither on threads nor on other
// rows.
std::size_t vocabulary_step(std::size_t vocab) {
    return std::max<std::size_t>(4096, ceil_div(vocab, 16 * 64) * 64);
}

template <class T>
void merge(Partial<T>& into, const Partial<T>& part) {
    if (part.target != -std::numeric_limits<T>::infinity()) into.target = part.target;
    if (part.max > into.max) into.best = part.best;
    const double max = std::max(into.max, part.max);
    const auto rescaled = [max](const Partial<T>& p) {
        const double shift = static_cast<double>(p.max) - max;
        const double factor = std::isinf(shift) ? 0.0 : std::exp(shift);
        const double moved = std::isinf(shift) ? 0.0 : p.sum * shift;
        return std::pair(p.sum * factor, (p.weighted + moved) * factor);
    };
    const auto [sum_a, weighted_a] = rescaled(into);
    const auto [sum_b, weighted_b] = rescaled(part);
    into.max = static_cast<T>(max);
    into.sum = sum_a + sum_b;
    into.weighted = weighted_a + weighted_b;
}

template <class T>
void write(const Problem<T>& problem, const Result<T>& result, std::size_t row, const Partial<T>& p) {
    const double log_sum = std::log(p.sum);
    const bool scored = problem.targets[row] != ignored;
    result.lse[row] = static_cast<T>(static_cast<double>(p.max) + log_sum);
    result.logp[row] =
        scored ? static_cast<T>((static_cast<double>(p.target) - static_cast<double>(p.max)) - log_sum)
               : T(0);
    if (result.argmax != nullptr) result.argmax[row] = p.best;
    if (result.entropy != nullptr) result.entropy[row] = static_cast<T>(log_sum - p.weighted / p.sum);
}

// Rows for each of at most `threads` tasks.
std::size_t share(std::size_t rows, int threads) {
    return std::max<std::size_t>(1, ceil_div(rows, static_cast<std::size_t>(std::max(threads, 1))));
}

}  // namespace

template <class T>
void forward(const Problem<T>& problem, const Result<T>& result, int threads) {
    const Kernels<T> kernel = linear_logp_kernels<T>();
    const std::size_t scratch_bytes = kernel.scratch_bytes(problem);
    const std::size_t vocab_step = vocabulary_step(problem.vocab);
    const std::size_t parts = ceil_div(problem.vocab, vocab_step);
    std::vector<Partial<T>> partials(parts * std::min(rows_at_once, problem.rows));
    for (std::size_t first = 0; first < problem.rows; first += rows_at_once) {
        const std::size_t rows = std::min(rows_at_once, problem.rows - first);
        const std::size_t wanted = ceil_div(4 * static_cast<std::size_t>(std::max(threads, 1)), parts);
        const std::size_t row_step = std::max(rows_per_task, ceil_div(rows, wanted));
        const std::size_t row_tasks = ceil_div(rows, row_step);
        Problem<T> part = problem;
        part.rows = rows;
        part.hidden += first * problem.dim;
        part.targets += first;
        parallel_for(parts * row_tasks, threads, [&](std::size_t task) {
            const Aligned scratch(scratch_bytes);
            const std::size_t at = task % parts;
            kernel.statistics(part, piece(task / parts, row_step, rows), piece(at, vocab_step, problem.vocab),
                              result.argmax != nullptr, result.entropy != nullptr, &partials[at * rows],
                              scratch.get());
        });
        for (std::size_t row = 0; row < rows; ++row) {
            Partial<T> all = partials[row];
            for (std::size_t at = 1; at < parts; ++at) merge(all, partials[at * rows + row]);
            write(problem, result, first + row, all);
        }
    }
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
    for (std::size_t row = 0; row < problem.rows; ++row) write(problem, result, row, partials[row]);
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
