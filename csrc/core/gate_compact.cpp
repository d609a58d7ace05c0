#include "core/gate_compact.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "core/gate_compact_kernel.hpp"
#include "core/mover.hpp"
#include "core/parallel.hpp"

PYFASTLM_KERNELS(gate_compact::Kernels<T>, gate_compact_kernels)

namespace pyfastlm::gate_compact {
namespace {

// Rows of a task: they stay in the second-level cache between their gates and their copies.
constexpr std::size_t task_bytes = std::size_t{128} << 10;

template <class T>
class Pass {
  public:
    Pass(const Problem<T>& problem, const Result<T>& result)
        : p_(problem), out_(result), kernels_(gate_compact_kernels<T>()),
          mover_(problem.rows * problem.dim * sizeof(T)),
          step_(std::max<std::size_t>(1, task_bytes / std::max<std::size_t>(1, problem.dim * sizeof(T)))),
          before_((problem.rows + step_ - 1) / step_ + 1) {
        for (std::size_t i = 1; i < before_.size(); ++i) before_[i] = unknown;
    }

    std::size_t run(int threads) {
        parallel_for(before_.size() - 1, threads, [this](std::size_t i) { task(i); });
        return static_cast<std::size_t>(before_.back().load());
    }

  private:
    static constexpr std::int64_t unknown = -1;

    void task(std::size_t i) {
        const std::size_t first = i * step_, end = std::min(p_.rows, first + step_);
        std::vector<std::size_t> kept;
        std::vector<T> factor(end - first);  // 1 over the root mean square
        kept.reserve(end - first);
        for (std::size_t n = first; n < end; ++n) {
            if (gate(n, factor[n - first])) kept.push_back(n);
        }
        // An earlier task on another thread has been started, and does not wait for this one.
        before_[i].wait(unknown);
        auto to = static_cast<std::size_t>(before_[i].load());
        before_[i + 1] = static_cast<std::int64_t>(to + kept.size());
        before_[i + 1].notify_one();
        for (const std::size_t n : kept) {
            const T* const x = p_.x + n * p_.dim;
            out_.index[to] = static_cast<std::int32_t>(n);
            kernels_.scale(x, factor[n - first], p_.next, p_.dim, out_.following + to * p_.dim);
            mover_.copy(x, out_.kept + to * p_.dim, p_.dim * sizeof(T));
            ++to;
        }
        mover_.done();
    }

    // Writes z and G of row n; true if it is kept.
    bool gate(std::size_t n, T& factor) const {
        const Sums<T> sums = kernels_.sums(p_.x + n * p_.dim, p_.weight, p_.dim);
        const double root = 1.0 / std::sqrt(sums.squares / static_cast<double>(p_.dim) + p_.eps);
        const double z = sums.weighted * (p_.normed ? root : 1.0) + static_cast<double>(p_.bias);
        const double scale = static_cast<double>(p_.scale);
        const bool closed = p_.closed != nullptr && p_.closed[n] != 0;
        const double open = p_.kind == Kind::scaled_sigmoid ? scale / (1.0 + std::exp(z))
                            : z < 0                         ? z - std::log1p(std::exp(z))
                                                            : -std::log1p(std::exp(-z));
        factor = static_cast<T>(root);
        out_.logits[n] = static_cast<T>(z);
        out_.values[n] = static_cast<T>(closed ? scale : open);
        return !closed && out_.values[n] > p_.threshold;
    }

    const Problem<T>& p_;
    const Result<T>& out_;
    const Kernels<T> kernels_;
    const compact::Mover mover_;
    const std::size_t step_;
    std::vector<std::atomic<std::int64_t>> before_;  // rows kept by the tasks before each, once they know
};

}  // namespace

template <class T>
std::size_t forward(const Problem<T>& problem, const Result<T>& result, int threads) {
    return Pass<T>(problem, result).run(threads);
}

template std::size_t forward(const Problem<float>&, const Result<float>&, int);
template std::size_t forward(const Problem<double>&, const Result<double>&, int);

}  // namespace pyfastlm::gate_compact
