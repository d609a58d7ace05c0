// varlen_attention against three nested loops in double precision, for the instruction set in use. Buffers
// are exact in size and outputs filled with NaN, so that AddressSanitizer sees a step outside and a missing
// write shows.
#include "core/varlen_attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace attention = pyfastlm::attention;

template <class T>
constexpr T nan = std::numeric_limits<T>::quiet_NaN();

struct Shape {
    std::vector<std::int32_t> starts_q, starts_k;
    std::size_t heads, dim, radius;  // a radius of 0 for no bias by distance
    bool holes, key_bias, causal, softmax1;
};

template <class T>
struct Case {
    Shape shape;
    std::size_t rows_q, rows_k;
    std::vector<T> q, k, v, table, key_bias, upstream;
    std::vector<std::int32_t> positions_q, positions_k;

    explicit Case(const Shape& s)
        : shape(s), rows_q(static_cast<std::size_t>(s.starts_q.back())),
          rows_k(static_cast<std::size_t>(s.starts_k.back())) {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        const auto fill = [&](std::vector<T>& to, std::size_t n) {
            to.resize(n);
            for (auto& x : to) x = static_cast<T>(normal(random));
        };
        fill(q, rows_q * s.heads * s.dim);
        fill(upstream, q.size());
        fill(k, rows_k * s.heads * s.dim);
        fill(v, k.size());
        if (s.radius != 0) fill(table, (2 * s.radius + 1) * s.heads);
        if (s.key_bias) fill(key_bias, rows_k);
        if (!s.holes) return;
        const auto spread = [&](const std::vector<std::int32_t>& starts, std::vector<std::int32_t>& to) {
            for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
                std::int32_t at = 0;
                for (std::int32_t n = starts[b]; n < starts[b + 1]; ++n)
                    to.push_back(at += 1 + static_cast<std::int32_t>(random() % 3));
            }
        };
        spread(s.starts_q, positions_q);
        spread(s.starts_k, positions_k);
    }

    [[nodiscard]] attention::Problem<T> problem() const {
        const std::size_t row = shape.heads * shape.dim;
        return {shape.starts_q.size() - 1,
                shape.heads,
                shape.dim,
                {q.data(), row, shape.dim},
                {k.data(), row, shape.dim},
                {v.data(), row, shape.dim},
                shape.starts_q.data(),
                shape.starts_k.data(),
                positions_q.empty() ? nullptr : positions_q.data(),
                positions_k.empty() ? nullptr : positions_k.data(),
                table.empty() ? nullptr : table.data(),
                shape.radius,
                key_bias.empty() ? nullptr : key_bias.data(),
                shape.causal,
                shape.softmax1,
                T(0.5)};
    }
};

struct Results {
    std::vector<double> out, lse, q, k, v, table, key_bias;
};

template <class T>
Results by_loops(const Case<T>& c) {
    const Shape& s = c.shape;
    const auto at = [](const std::vector<T>& x, std::size_t i) { return static_cast<double>(x[i]); };
    Results r;
    r.out.assign(c.q.size(), 0);
    r.lse.assign(s.heads * c.rows_q, 0);
    r.q.assign(c.q.size(), 0);
    r.k.assign(c.k.size(), 0);
    r.v.assign(c.k.size(), 0);
    r.table.assign(c.table.size(), 0);
    r.key_bias.assign(c.key_bias.size(), 0);
    for (std::size_t b = 0; b + 1 < s.starts_q.size(); ++b) {
        const auto bound = [b](const std::vector<std::int32_t>& starts, std::size_t next) {
            return static_cast<std::size_t>(starts[b + next]);
        };
        const std::size_t q0 = bound(s.starts_q, 0), q1 = bound(s.starts_q, 1), k0 = bound(s.starts_k, 0),
                          k1 = bound(s.starts_k, 1);
        for (std::size_t h = 0; h < s.heads; ++h) {
            for (std::size_t i = q0; i < q1; ++i) {
                const std::size_t qi = (i * s.heads + h) * s.dim;
                std::vector<double> z(k1 - k0);
                std::vector<std::size_t> entry(k1 - k0);
                double max = s.softmax1 ? 0.0 : -INFINITY;
                for (std::size_t j = k0; j < k1; ++j) {
                    const std::size_t kj = (j * s.heads + h) * s.dim;
                    double score = 0;
                    for (std::size_t d = 0; d < s.dim; ++d) score += at(c.q, qi + d) * at(c.k, kj + d);
                    score *= 0.5;
                    const auto position = [](const std::vector<std::int32_t>& p, std::size_t n,
                                             std::size_t n0) {
                        return p.empty() ? static_cast<long>(n - n0) : static_cast<long>(p[n]);
                    };
                    const long distance = position(c.positions_k, j, k0) - position(c.positions_q, i, q0);
                    const long radius = static_cast<long>(s.radius);
                    entry[j - k0] = static_cast<std::size_t>(std::clamp(distance, -radius, radius) + radius);
                    if (s.radius != 0) score += at(c.table, entry[j - k0] * s.heads + h);
                    if (s.key_bias) score += at(c.key_bias, j);
                    z[j - k0] = s.causal && distance > 0 ? -INFINITY : score;
                    max = std::max(max, z[j - k0]);
                }
                double sum = s.softmax1 ? std::exp(-max) : 0.0;
                for (const double x : z) sum += max == -INFINITY ? 0.0 : std::exp(x - max);
                r.lse[h * c.rows_q + i] = max + std::log(sum);
                double delta = 0;
                std::vector<double> p(z.size()), dp(z.size());
                for (std::size_t j = 0; j < z.size(); ++j) {
                    p[j] = sum == 0 ? 0.0 : std::exp(z[j] - max) / sum;
                    const std::size_t kj = ((k0 + j) * s.heads + h) * s.dim;
                    for (std::size_t d = 0; d < s.dim; ++d) {
                        r.out[qi + d] += p[j] * at(c.v, kj + d);
                        r.v[kj + d] += p[j] * at(c.upstream, qi + d);
                        dp[j] += at(c.upstream, qi + d) * at(c.v, kj + d);
                    }
                    delta += p[j] * dp[j];
                }
                for (std::size_t j = 0; j < z.size(); ++j) {
                    const double slope = p[j] * (dp[j] - delta);
                    const std::size_t kj = ((k0 + j) * s.heads + h) * s.dim;
                    for (std::size_t d = 0; d < s.dim; ++d) {
                        r.q[qi + d] += 0.5 * slope * at(c.k, kj + d);
                        r.k[kj + d] += 0.5 * slope * at(c.q, qi + d);
                    }
                    if (s.radius != 0) r.table[entry[j] * s.heads + h] += slope;
                    if (s.key_bias) r.key_bias[k0 + j] += slope;
                }
            }
        }
    }
    return r;
}

template <class T>
void check_all(const std::vector<T>& got, const std::vector<double>& expected, double tolerance,
               const char* what) {
    CHECK(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isinf(expected[i])) {
            CHECK(static_cast<double>(got[i]) == expected[i]);
        } else {
            check_near(static_cast<double>(got[i]), expected[i], tolerance * (1 + std::fabs(expected[i])),
                       what);
        }
    }
}

template <class T>
Results run(const Case<T>& c, int threads, double tolerance, const Results* expected) {
    const auto poisoned = [](std::size_t n) { return std::vector<T>(n, nan<T>); };
    auto out = poisoned(c.q.size()), lse = poisoned(c.shape.heads * c.rows_q), q = poisoned(c.q.size()),
         k = poisoned(c.k.size()), v = poisoned(c.k.size()), table = poisoned(c.table.size()),
         key_bias = poisoned(c.key_bias.size());
    attention::forward(c.problem(), out.data(), lse.data(), threads);
    attention::backward(c.problem(), out.data(), lse.data(), c.upstream.data(),
                        {q.data(), k.data(), v.data(), table.empty() ? nullptr : table.data(),
                         key_bias.empty() ? nullptr : key_bias.data()},
                        threads);
    if (expected != nullptr) {
        check_all(out, expected->out, tolerance, "out");
        check_all(lse, expected->lse, tolerance, "lse");
        check_all(q, expected->q, 10 * tolerance, "grad of q");
        check_all(k, expected->k, 10 * tolerance, "grad of k");
        check_all(v, expected->v, 10 * tolerance, "grad of v");
        check_all(table, expected->table, 30 * tolerance, "grad of rel_bias");
        check_all(key_bias, expected->key_bias, 30 * tolerance, "grad of key_bias");
    }
    const auto wide = [](const std::vector<T>& x) { return std::vector<double>(x.begin(), x.end()); };
    return {wide(out), wide(lse), wide(q), wide(k), wide(v), wide(table), wide(key_bias)};
}

void threads_change_no_bit() {
    const Case<float> c({{0, 500, 503, 800}, {0, 500, 503, 800}, 3, 8, 5, true, true, true, true});
    const Results first = run(c, 1, 0, nullptr);
    for (const int threads : {2, 7}) {
        const Results other = run(c, threads, 0, nullptr);
        CHECK(first.out == other.out && first.lse == other.lse && first.q == other.q && first.k == other.k);
        CHECK(first.v == other.v && first.table == other.table && first.key_bias == other.key_bias);
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    const std::vector<Shape> shapes{
        {{0}, {0}, 2, 4, 0, false, false, false, false},
        {{0, 0, 1}, {0, 0, 1}, 1, 1, 0, false, false, false, false},
        {{0, 37, 37, 90}, {0, 37, 37, 90}, 2, 16, 0, false, false, false, false},
        {{0, 37, 37, 90}, {0, 37, 37, 90}, 2, 16, 20, false, false, false, true},
        {{0, 200}, {0, 200}, 1, 7, 9, true, false, true, false},
        {{0, 30, 33}, {0, 300, 300}, 3, 33, 5, true, true, false, true},
        {{0, 130, 140}, {0, 130, 140}, 2, 64, 16, true, true, true, true},
    };
    for (const Shape& shape : shapes) {
        const Case<double> exact(shape);
        const Results by_double = by_loops(exact);
        run(exact, 2, 1e-12, &by_double);
        const Case<float> c(shape);
        const Results by_float = by_loops(c);
        run(c, 2, 1e-5, &by_float);
    }
    threads_change_no_bit();
}
