#include "core/varlen_attention.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/varlen_attention_kernel.hpp"

PYFASTLM_KERNELS(attention::Kernels<T>, varlen_attention_kernels)

namespace pyfastlm::attention {
namespace {

constexpr std::size_t most_queries = 1020;  // in a task, whole tiles; every task packs the keys that it sees
constexpr std::size_t least_queries = 192;

template <class T>
std::size_t rows_q(const Problem<T>& p) {
    return p.sequences == 0 ? 0 : static_cast<std::size_t>(p.starts_q[p.sequences]);
}

template <class T>
std::size_t rows_k(const Problem<T>& p) {
    return p.sequences == 0 ? 0 : static_cast<std::size_t>(p.starts_k[p.sequences]);
}

// One task per sequence and head, or several where a sequence has more than `step` queries; the heads of a
// sequence one after the other.
template <class T>
std::vector<Task> tasks_of(const Problem<T>& p, std::size_t step) {
    std::vector<Task> tasks;
    for (std::size_t s = 0; s < p.sequences; ++s) {
        const auto row = [s](const std::int32_t* starts, std::size_t next) {
            return static_cast<std::size_t>(starts[s + next]);
        };
        const std::size_t origin = row(p.starts_q, 0), end = row(p.starts_q, 1);
        for (std::size_t head = 0; head < p.heads; ++head) {
            std::size_t query = origin;
            do {
                const std::size_t query_end = end - query > step ? query + step : end;
                tasks.push_back({head, origin, query, query_end, row(p.starts_k, 0), row(p.starts_k, 1)});
                query = query_end;
            } while (query < end);
        }
    }
    return tasks;
}

}  // namespace

template <class T>
void forward(const Problem<T>& problem, T* out, T* lse, int threads) {
    const Kernels<T> kernel = varlen_attention_kernels<T>();
    const std::size_t rows = rows_q(problem);
    const std::size_t share = rows * problem.heads / (4 * static_cast<std::size_t>(std::max(threads, 1)));
    const std::size_t step = std::clamp(share / 6 * 6, least_queries, most_queries);
    const std::vector<Task> tasks = tasks_of(problem, step);
    parallel_for(tasks.size(), threads, [&](std::size_t i) {
        const Task& task = tasks[i];
        const Aligned scratch(kernel.forward_scratch(problem, task.queries()));
        kernel.forward(problem, task, out, lse + task.head * rows + task.query, scratch.get());
    });
}

template <class T>
void backward(const Problem<T>& problem, const T* out, const T* lse, const T* grad_out,
              const Gradients<T>& grads, int threads) {
    const Kernels<T> kernel = varlen_attention_kernels<T>();
    const std::vector<Task> tasks = tasks_of(problem, rows_q(problem) + 1);
    const std::size_t heads = problem.heads, entries = 2 * problem.radius + 1, keys = rows_k(problem);
    std::vector<double> rel_bias(grads.rel_bias == nullptr ? 0 : tasks.size() * entries);
    std::vector<T> key_bias(grads.key_bias == nullptr ? 0 : heads * keys);
    parallel_for(tasks.size(), threads, [&](std::size_t i) {
        const Task& task = tasks[i];
        const Aligned scratch(kernel.backward_scratch(problem, task.queries()));
        const Shared<T> shared{rel_bias.empty() ? nullptr : &rel_bias[i * entries],
                               key_bias.empty() ? nullptr : &key_bias[task.head * keys + task.key]};
        kernel.backward(problem, task, out, lse + task.head * rows_q(problem) + task.query, grad_out, grads,
                        shared, scratch.get());
    });
    // In a fixed order, so that the sums do not depend on the threads.
    for (std::size_t at = 0; grads.rel_bias != nullptr && at < entries * heads; ++at) {
        double sum = 0;
        for (std::size_t i = at % heads; i < tasks.size(); i += heads)
            sum += rel_bias[i * entries + at / heads];
        grads.rel_bias[at] = static_cast<T>(sum);
    }
    for (std::size_t j = 0; grads.key_bias != nullptr && j < keys; ++j) {
        double sum = 0;
        for (std::size_t head = 0; head < heads; ++head)
            sum += static_cast<double>(key_bias[head * keys + j]);
        grads.key_bias[j] = static_cast<T>(sum);
    }
}

template void forward(const Problem<float>&, float*, float*, int);
template void forward(const Problem<double>&, double*, double*, int);
template void backward(const Problem<float>&, const float*, const float*, const float*,
                       const Gradients<float>&, int);
template void backward(const Problem<double>&, const double*, const double*, const double*,
                       const Gradients<double>&, int);

}  // namespace pyfastlm::attention
