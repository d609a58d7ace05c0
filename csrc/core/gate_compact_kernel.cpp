#include "core/gate_compact_kernel.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using gate_compact::Sums;

// Four sums at a time, so that additions do not wait for each other.
template <class T>
Sums<T> sums(const T* x, const T* weight, std::size_t dim) {
    constexpr std::size_t n = lanes<T>;
    Vec<T> squares[4] = {}, weighted[4] = {};
    std::size_t d = 0;
    for (; d + 4 * n <= dim; d += 4 * n) {
        for (std::size_t i = 0; i < 4; ++i) {
            const Vec<T> v = load(x + d + i * n);
            squares[i] += v * v;
            weighted[i] += v * load(weight + d + i * n);
        }
    }
    const auto total = [](const Vec<T>* v) {
        return static_cast<double>(sum_lanes<T>((v[0] + v[1]) + (v[2] + v[3])));
    };
    Sums<T> result{total(squares), total(weighted)};
    for (; d < dim; ++d) {
        const double v = static_cast<double>(x[d]);
        result.squares += v * v;
        result.weighted += v * static_cast<double>(weight[d]);
    }
    return result;
}

template <class T>
void scale(const T* x, T factor, const T* weight, std::size_t dim, T* to) {
    constexpr std::size_t n = lanes<T>;
    const Vec<T> f = broadcast(factor);
    std::size_t d = 0;
    for (; d + n <= dim; d += n) store(to + d, load(x + d) * f * load(weight + d));
    for (; d < dim; ++d) to[d] = x[d] * factor * weight[d];
}

}  // namespace

template <class T>
gate_compact::Kernels<T> gate_compact_kernels() {
    return {sums<T>, scale<T>};
}

template gate_compact::Kernels<float> gate_compact_kernels<float>();
template gate_compact::Kernels<double> gate_compact_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
