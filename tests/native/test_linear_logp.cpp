// linear_logp against three nested loops in double precision, for the instruction set in use. Buffers are
// exact in size and filled with NaN, so that AddressSanitizer sees a step outside and a missing write shows.
#include "core/linear_logp.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace logp = pyfastlm::linear_logp;

template <class T>
constexpr T nan = std::numeric_limits<T>::quiet_NaN();

struct Shape {
    std::size_t rows, dim, vocab;
    bool bias;
    double softcap, scale;
};

template <class T>
struct Case {
    Shape shape;
    std::vector<T> hidden, weight, bias;
    std::vector<std::int64_t> targets;
    std::vector<double> grad_logp, grad_entropy;

    explicit Case(Shape s) : shape(s) {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        const auto fill = [&](auto& to, std::size_t n, double size) {
            to.resize(n);
            for (auto& x : to) x = static_cast<std::remove_reference_t<decltype(x)>>(size * normal(random));
        };
        fill(hidden, s.rows * s.dim, 1.0);
        fill(weight, s.vocab * s.dim, 0.5);
        if (s.bias) fill(bias, s.vocab, 1.0);
        fill(grad_logp, s.rows, 1.0);
        fill(grad_entropy, s.rows, 1.0);
        for (std::size_t n = 0; n < s.rows; ++n) {
            targets.push_back(n % 5 == 4 ? logp::ignored : static_cast<std::int64_t>(random() % s.vocab));
        }
    }

    [[nodiscard]] logp::Problem<T> problem() const {
        return {shape.rows,
                shape.dim,
                shape.vocab,
                hidden.data(),
                weight.data(),
                sizeof(T) == 8 ? pyfastlm::Storage::f64 : pyfastlm::Storage::f32,
                shape.bias ? bias.data() : nullptr,
                targets.data(),
                static_cast<T>(shape.softcap),
                static_cast<T>(shape.scale)};
    }

    // Logits of a row, and what they are differentiated by behind the softcap.
    [[nodiscard]] std::vector<double> logits(std::size_t n, std::vector<double>& slope) const {
        std::vector<double> z(shape.vocab);
        slope.assign(shape.vocab, 1.0);
        for (std::size_t v = 0; v < shape.vocab; ++v) {
            double sum = 0;
            for (std::size_t d = 0; d < shape.dim; ++d) {
                sum += static_cast<double>(hidden[n * shape.dim + d]) *
                       static_cast<double>(weight[v * shape.dim + d]);
            }
            z[v] = shape.scale * sum + (shape.bias ? static_cast<double>(bias[v]) : 0.0);
            if (shape.softcap != 0) {
                const double t = std::tanh(z[v] / shape.softcap);
                z[v] = shape.softcap * t;
                slope[v] = 1 - t * t;
            }
        }
        return z;
    }
};

template <class T>
void matches(const Shape& shape, double tolerance) {
    const Case<T> c(shape);
    const auto [rows, dim, vocab, has_bias, softcap, scale] = shape;
    std::vector<T> out(rows, nan<T>), lse(rows, nan<T>), entropy(rows, nan<T>), slope_logp(rows, nan<T>);
    std::vector<std::int64_t> argmax(rows, -1);
    std::vector<T> slopes(rows * dim, nan<T>), grad_hidden(rows * dim, nan<T>),
        grad_weight(vocab * dim, nan<T>);
    std::vector<T> grad_bias(vocab, nan<T>);
    const std::vector<T> up_logp(c.grad_logp.begin(), c.grad_logp.end());
    const std::vector<T> up_entropy(c.grad_entropy.begin(), c.grad_entropy.end());
    logp::forward(c.problem(), {out.data(), lse.data(), argmax.data(), entropy.data()}, 2);
    const logp::Upstream<T> up{lse.data(), entropy.data(), up_logp.data(), up_entropy.data()};
    logp::grad_hidden(c.problem(), up, grad_hidden.data(), 2);
    logp::grad_weight(c.problem(), up, grad_weight.data(), grad_bias.data(), 2);
    std::vector<T> slope_lse(rows, nan<T>);
    logp::forward_slope<T>(c.problem(), {slope_logp.data(), slope_lse.data(), nullptr, nullptr},
                           slopes.data(), 2);

    std::vector<double> expected_weight(vocab * dim), expected_bias(vocab);
    for (std::size_t n = 0; n < rows; ++n) {
        std::vector<double> derivative;
        const std::vector<double> z = c.logits(n, derivative);
        double max = z[0], sum = 0, h = 0;
        std::size_t best = 0;
        for (std::size_t v = 0; v < vocab; ++v) {
            if (z[v] > max) max = z[v], best = v;
        }
        for (const double x : z) sum += std::exp(x - max);
        const double log_sum = max + std::log(sum);
        for (const double x : z) h -= std::exp(x - log_sum) * (x - log_sum);
        const bool scored = c.targets[n] != logp::ignored;
        const std::size_t target = scored ? static_cast<std::size_t>(c.targets[n]) : vocab;
        check_near(static_cast<double>(out[n]), scored ? z[target] - log_sum : 0.0, tolerance, "logp");
        check_near(static_cast<double>(slope_logp[n]), scored ? z[target] - log_sum : 0.0, tolerance,
                   "logp with slope");
        check_near(static_cast<double>(lse[n]), log_sum, tolerance, "lse");
        check_near(static_cast<double>(entropy[n]), h, tolerance, "entropy");
        CHECK(argmax[n] == static_cast<std::int64_t>(best));
        std::vector<double> expected_hidden(dim), expected_slope(dim);
        for (std::size_t v = 0; v < vocab; ++v) {
            const double p = std::exp(z[v] - log_sum), hit = v == target ? 1.0 : 0.0;
            const double by_logp = scored ? (hit - p) * derivative[v] : 0.0;
            const double by_entropy = -p * (z[v] - log_sum + h) * derivative[v];
            const double g = c.grad_logp[n] * by_logp + c.grad_entropy[n] * by_entropy;
            expected_bias[v] += g;
            for (std::size_t d = 0; d < dim; ++d) {
                const double w = static_cast<double>(c.weight[v * dim + d]);
                expected_hidden[d] += scale * g * w;
                expected_slope[d] += scale * by_logp * w;
                expected_weight[v * dim + d] += scale * g * static_cast<double>(c.hidden[n * dim + d]);
            }
        }
        for (std::size_t d = 0; d < dim; ++d) {
            check_near(static_cast<double>(grad_hidden[n * dim + d]), expected_hidden[d], tolerance,
                       "grad_hidden");
            check_near(static_cast<double>(slopes[n * dim + d]), expected_slope[d], tolerance, "slope");
        }
    }
    for (std::size_t i = 0; i < vocab * dim; ++i) {
        check_near(static_cast<double>(grad_weight[i]), expected_weight[i], 10 * tolerance, "grad_weight");
    }
    for (std::size_t v = 0; v < vocab; ++v) {
        check_near(static_cast<double>(grad_bias[v]), expected_bias[v], 10 * tolerance, "grad_bias");
    }
}

void nan_travels_and_minus_infinity_is_a_zero_probability() {
    Case<float> c({3, 8, 40, true, 0, 1});
    c.bias[5] = -INFINITY;
    c.hidden[2 * 8 + 1] = nan<float>;
    for (auto& target : c.targets) target = 0;
    c.targets[0] = 5;
    std::vector<float> out(3), lse(3), entropy(3);
    logp::forward(c.problem(), {out.data(), lse.data(), nullptr, entropy.data()}, 1);
    CHECK(out[0] == -INFINITY && std::isfinite(out[1]) && std::isnan(out[2]));
    CHECK(std::isfinite(lse[0]) && std::isfinite(entropy[1]) && std::isnan(lse[2]));
}

void threads_change_no_bit() {
    const Case<float> c({301, 37, 9001, true, 0, 1});
    std::vector<float> first;
    for (const int threads : {1, 2, 7}) {
        std::vector<float> out(301), lse(301), slope(301 * 37), weight(9001 * 37), bias(9001);
        logp::forward(c.problem(), {out.data(), lse.data(), nullptr, nullptr}, threads);
        const std::vector<float> up(301, 0.5f);
        logp::grad_weight(c.problem(), {lse.data(), nullptr, up.data(), nullptr}, weight.data(), bias.data(),
                          threads);
        std::vector<float> all = out;
        logp::forward_slope<float>(c.problem(), {out.data(), lse.data(), nullptr, nullptr}, slope.data(),
                                   threads);
        for (const auto* more : {&out, &lse, &slope, &weight, &bias})
            all.insert(all.end(), more->begin(), more->end());
        if (first.empty()) first = all;
        CHECK(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)) == 0);
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const Shape& shape : {Shape{0, 4, 9, false, 0, 1}, Shape{1, 1, 1, true, 0, 1},
                               Shape{7, 5, 11, false, 0, 1}, Shape{13, 37, 123, true, 3, 0.7},
                               Shape{5, 16, 4099, true, 0, -1.5}, Shape{200, 7, 300, false, 5, 1}}) {
        matches<double>(shape, 1e-11);
        matches<float>(shape, 3e-5);
    }
    nan_travels_and_minus_infinity_is_a_zero_probability();
    threads_change_no_bit();
}
