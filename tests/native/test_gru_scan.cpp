// gru_scan against a loop in double precision, forward and backward, for the instruction set in use. Buffers
// are exact in size.
#include "core/gru_scan.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace gru = pyfastlm::gru_scan;

template <class T>
struct Case {
    gru::Shape shape;
    std::vector<std::int64_t> ids, lengths;
    std::vector<T> table, weight, bias, h0;

    explicit Case(const gru::Shape& s) : shape(s) {
        std::mt19937 random(5);
        std::normal_distribution<T> normal;
        const auto numbers = [&](std::size_t count) {
            std::vector<T> v(count);
            for (T& x : v) x = normal(random);
            return v;
        };
        for (std::size_t b = 0; b < s.rows; ++b) {
            const auto length = b == 0 ? s.steps : random() % (s.steps + 1);
            lengths.push_back(static_cast<std::int64_t>(length));
            for (std::size_t t = 0; t < s.steps; ++t)
                ids.push_back(t < length ? static_cast<std::int64_t>(random() % s.vocab) : -1);
        }
        table = numbers(s.vocab * 3 * s.size);
        weight = numbers(3 * s.size * s.size);
        for (T& w : weight) w /= std::sqrt(static_cast<T>(s.size));
        bias = numbers(3 * s.size);
        h0 = numbers(s.rows * s.size);
    }

    [[nodiscard]] gru::Problem<T> problem() const {
        return {shape, ids.data(), lengths.data(), weight.data(), h0.data()};
    }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The state after one step of one row.
template <class T>
std::vector<double> next(const Case<T>& c, std::int64_t id, const std::vector<double>& h) {
    const std::size_t n = c.shape.size;
    std::vector<double> after(n);
    for (std::size_t u = 0; u < n; ++u) {
        double input[3], hidden[3];
        for (std::size_t g = 0; g < 3; ++g) {
            const std::size_t row = g * n + u;
            input[g] = static_cast<double>(c.table[static_cast<std::size_t>(id) * 3 * n + row]);
            hidden[g] = static_cast<double>(c.bias[row]);
            for (std::size_t k = 0; k < n; ++k)
                hidden[g] += static_cast<double>(c.weight[row * n + k]) * h[k];
        }
        const double r = sigmoid(input[0] + hidden[0]), z = sigmoid(input[1] + hidden[1]);
        after[u] = (1 - z) * std::tanh(input[2] + r * hidden[2]) + z * h[u];
    }
    return after;
}

// The sum of all last states of a row whose first one is h.
template <class T>
double total_after(const Case<T>& c, std::size_t b, std::vector<double> h) {
    for (std::size_t t = 0; t < static_cast<std::size_t>(c.lengths[b]); ++t)
        h = next(c, c.ids[b * c.shape.steps + t], h);
    double total = 0;
    for (const double x : h) total += x;
    return total;
}

template <class T>
void against_a_loop(const gru::Shape& s, int threads, double tolerance) {
    const Case<T> c(s);
    std::vector<T> states(s.rows * s.steps * s.size), last(s.rows * s.size);
    std::vector<T> gates(4 * states.size());
    gru::forward<T>(c.problem(), {c.table.data(), c.bias.data()}, {states.data(), last.data(), gates.data()},
                    threads);
    std::size_t steps = 0;
    for (std::size_t b = 0; b < s.rows; ++b) {
        std::vector<double> h(c.h0.begin() + static_cast<std::ptrdiff_t>(b * s.size),
                              c.h0.begin() + static_cast<std::ptrdiff_t>((b + 1) * s.size));
        for (std::size_t t = 0; t < s.steps; ++t) {
            const bool real = t < static_cast<std::size_t>(c.lengths[b]);
            if (real) h = next(c, c.ids[b * s.steps + t], h);
            for (std::size_t u = 0; u < s.size; ++u)
                check_near(static_cast<double>(states[(b * s.steps + t) * s.size + u]), real ? h[u] : 0,
                           tolerance, "state");
        }
        for (std::size_t u = 0; u < s.size; ++u)
            check_near(static_cast<double>(last[b * s.size + u]), h[u], tolerance, "last");
        steps += static_cast<std::size_t>(c.lengths[b]);
    }

    // The gradient of the sum of the last states with respect to h0, by differences.
    const std::vector<T> ones(last.size(), T(1));
    std::vector<T> to_h0(last.size()), before_gates(steps * 3 * s.size), before_states(steps * s.size);
    std::vector<T> tables(gru::groups(s.rows) * s.vocab * 3 * s.size);
    gru::backward<T>(c.problem(), {states.data(), gates.data(), nullptr, ones.data()},
                     {to_h0.data(), before_gates.data(), before_states.data(), tables.data()}, threads);
    for (std::size_t b = 0; b < s.rows; b += 7) {
        for (std::size_t u = 0; u < s.size; u += 5) {
            std::vector<double> h(c.h0.begin() + static_cast<std::ptrdiff_t>(b * s.size),
                                  c.h0.begin() + static_cast<std::ptrdiff_t>((b + 1) * s.size));
            h[u] += 1e-4;
            const double up = total_after(c, b, h);
            h[u] -= 2e-4;
            check_near(static_cast<double>(to_h0[b * s.size + u]), (up - total_after(c, b, h)) / 2e-4,
                       10 * tolerance, "gradient of h0");
        }
    }
    // r and z have the same gradient on both sides: summed over ids, or over steps.
    for (std::size_t row = 0; row < 2 * s.size; ++row) {
        double by_id = 0, by_step = 0;
        for (std::size_t at = row; at < tables.size(); at += 3 * s.size)
            by_id += static_cast<double>(tables[at]);
        for (std::size_t at = row; at < before_gates.size(); at += 3 * s.size)
            by_step += static_cast<double>(before_gates[at]);
        check_near(by_id, by_step, 10 * tolerance, "gradient of the table");
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const int threads : {1, 3}) {
        for (const std::size_t size : {1u, 7u, 48u, 65u}) {
            against_a_loop<float>({40, 5, size, 6}, threads, 2e-5);
            against_a_loop<double>({40, 5, size, 6}, threads, 1e-7);
        }
        against_a_loop<double>({1, 1, 3, 1}, threads, 1e-7);
    }
}
