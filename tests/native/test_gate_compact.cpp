// gate_compact against a loop in double precision, for the instruction set in use. Buffers are exact in size,
// but for the rows that are not kept.
#include "core/gate_compact.hpp"

#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace gate = pyfastlm::gate_compact;

template <class T>
void against_a_loop(std::size_t rows, std::size_t dim, bool normed, gate::Kind kind, int threads) {
    std::mt19937 random(3);
    std::normal_distribution<T> normal;
    const auto numbers = [&](std::size_t count) {
        std::vector<T> v(count);
        for (T& x : v) x = normal(random);
        return v;
    };
    const std::vector<T> x = numbers(rows * dim), next = numbers(dim);
    std::vector<T> weight = numbers(dim);
    for (T& w : weight) w /= std::sqrt(static_cast<T>(dim));
    std::vector<std::uint8_t> closed(rows);
    for (auto& c : closed) c = random() % 5 == 0 ? 1 : 0;
    const T threshold = kind == gate::Kind::scaled_sigmoid ? T(-15) : T(-0.7);
    std::vector<T> values(rows), logits(rows), kept(rows * dim), following(rows * dim);
    std::vector<std::int32_t> index(rows);
    const gate::Problem<T> problem{rows, dim,    x.data(),  weight.data(), T(0.25),     normed,
                                   kind, T(-30), threshold, closed.data(), next.data(), 1e-6};
    const std::size_t count = gate::forward<T>(
        problem, {values.data(), logits.data(), index.data(), kept.data(), following.data()}, threads);

    std::size_t n = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        double squares = 0, z = 0;
        for (std::size_t d = 0; d < dim; ++d) {
            const double v = static_cast<double>(x[row * dim + d]);
            squares += v * v;
            z += v * static_cast<double>(weight[d]);
        }
        const double root = 1 / std::sqrt(squares / static_cast<double>(dim) + 1e-6);
        z = z * (normed ? root : 1.0) + 0.25;
        const double open =
            kind == gate::Kind::scaled_sigmoid ? -30 / (1 + std::exp(z)) : -std::log(1 + std::exp(-z));
        check_near(static_cast<double>(logits[row]), z, 1e-4, "z");
        check_near(static_cast<double>(values[row]), closed[row] != 0 ? -30 : open, 1e-3, "G");
        if (closed[row] != 0 || !(values[row] > threshold)) continue;
        CHECK(n < count && index[n] == static_cast<std::int32_t>(row));
        for (std::size_t d = 0; d < dim; ++d) {
            CHECK(kept[n * dim + d] == x[row * dim + d]);
            check_near(static_cast<double>(following[n * dim + d]),
                       static_cast<double>(x[row * dim + d]) * root * static_cast<double>(next[d]), 1e-4,
                       "normed");
        }
        ++n;
    }
    CHECK(n == count);
}

template <class T>
void every_case() {
    for (const int threads : {1, 3}) {
        for (const auto kind : {gate::Kind::scaled_sigmoid, gate::Kind::log_sigmoid}) {
            against_a_loop<T>(0, 4, true, kind, threads);
            against_a_loop<T>(5, 1, true, kind, threads);
            against_a_loop<T>(300, 75, false, kind, threads);
            against_a_loop<T>(40, 1472, true, kind, threads);
            against_a_loop<T>(3, 40'000, true, kind, threads);  // a row is more than a task
            against_a_loop<T>(900, 1472, true, kind, threads);  // large enough to bypass the caches
        }
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    every_case<float>();
    every_case<double>();
}
