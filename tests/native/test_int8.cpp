// Numbers in 8 bits for the instruction set in use: rounding against a rotation in double precision, products
// and log-probabilities against the whole numbers themselves. Buffers are exact in size.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "core/int8_linear.hpp"
#include "core/int8_linear_logp.hpp"
#include "core/int8_quantize.hpp"

namespace {

namespace int8 = pyfastlm::int8;

std::vector<float> normal(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> draw;
    std::vector<float> v(count);
    for (float& x : v) x = draw(random);
    return v;
}

// One row times the matrix of rotation.hpp, in double precision and by its definition.
std::vector<double> rotated(const float* x, std::size_t dim) {
    const std::size_t block = dim & (~dim + 1), blocks = dim / block;
    std::vector<double> v(dim), out(dim);
    for (std::size_t j = 0; j < dim; ++j) {
        const std::uint32_t hash = static_cast<std::uint32_t>(j + 1) * 2654435761u;
        v[j] = (hash & 0x8000u) != 0 ? -static_cast<double>(x[j]) : static_cast<double>(x[j]);
    }
    std::vector<double> turned(dim);
    for (std::size_t b = 0; b < blocks; ++b) {
        for (std::size_t i = 0; i < block; ++i) {
            for (std::size_t j = 0; j < block; ++j)
                turned[b * block + i] += (__builtin_popcountll(i & j) % 2 ? -1.0 : 1.0) * v[b * block + j];
            turned[b * block + i] /= std::sqrt(static_cast<double>(block));
        }
    }
    if (blocks > 64) return turned;
    for (std::size_t b = 0; b < blocks; ++b) {
        for (std::size_t c = 0; c < blocks; ++c) {
            const double angle = 2 * 3.14159265358979323846 * static_cast<double>(b * c % blocks) /
                                 static_cast<double>(blocks);
            const double cas = (std::cos(angle) + std::sin(angle)) / std::sqrt(static_cast<double>(blocks));
            for (std::size_t j = 0; j < block; ++j) out[b * block + j] += cas * turned[c * block + j];
        }
    }
    return out;
}

struct Rows {
    std::vector<std::uint8_t> values;
    std::vector<float> scale, numbers;
    std::vector<std::int32_t> places;
    int8::Rows view;
    int8::Kept kept;

    Rows(const std::vector<float>& x, std::size_t count, std::size_t dim, std::int32_t zero, float share,
         int threads)
        : values(count * int8::padded_dim(dim)), scale(count),
          view{count, dim, values.data(), scale.data(), zero}, kept{} {
        if (share < 1.0f) {
            kept.most = static_cast<std::size_t>(1.0f / (share * share));
            places.assign(count * kept.most, -7);
            numbers.resize(count * kept.most);
            kept.places = places.data(), kept.numbers = numbers.data();
        }
        int8::quantize(x.data(), view, share, kept, threads);
    }

    // What is kept of a row, 0 elsewhere.
    [[nodiscard]] std::vector<double> kept_of(std::size_t row) const {
        std::vector<double> found(view.dim);
        for (std::size_t k = row * kept.most; k < (row + 1) * kept.most && places[k] >= 0; ++k)
            found[static_cast<std::size_t>(places[k])] = static_cast<double>(numbers[k]);
        return found;
    }

    [[nodiscard]] std::int64_t at(std::size_t row, std::size_t k) const {
        return values[row * int8::padded_dim(view.dim) + k] - view.zero;
    }
};

struct Weights {
    std::vector<std::int8_t> panels;
    std::vector<float> scale;
    std::vector<std::int32_t> sum;
    int8::Weights view;

    Weights(const std::vector<float>& w, std::size_t count, std::size_t dim, std::int32_t zero, int threads)
        : panels(int8::padded_columns(count) * int8::padded_dim(dim)), scale(int8::padded_columns(count)),
          sum(int8::padded_columns(count)), view{count, dim, panels.data(), scale.data(), sum.data(), zero} {
        int8::quantize(w.data(), view, threads);
    }

    [[nodiscard]] std::int64_t at(std::size_t column, std::size_t k) const {
        const std::size_t steps = int8::padded_dim(view.dim) / int8::deep;
        return panels[(column / int8::panel_columns * steps + k / int8::deep) * int8::panel_step +
                      column % int8::panel_columns * int8::deep + k % int8::deep];
    }

    // What weights of one sign come to, of the four that are added up with this one in 16 bits.
    [[nodiscard]] std::int64_t four(std::size_t column, std::size_t k) const {
        const std::size_t first = k / int8::group * int8::group + k % int8::deep / 2 * 2;
        std::int64_t up = 0, down = 0;
        for (const std::size_t of : {0, 1, 4, 5}) {
            up += std::max<std::int64_t>(at(column, first + of), 0);
            down -= std::min<std::int64_t>(at(column, first + of), 0);
        }
        return std::max(up, down);
    }
};

void test(std::size_t rows, std::size_t dim, std::size_t columns, std::int32_t zero, float share,
          int threads) {
    const std::vector<float> x = normal(rows * dim, 1), w = normal(columns * dim, 2),
                             bias = normal(columns, 3);
    const Rows a(x, rows, dim, zero, share, threads);
    const Weights b(w, columns, dim, zero, threads);
    for (std::size_t i = 0; i < rows; ++i) {
        const std::vector<double> kept = a.kept_of(i);
        std::vector<float> left(&x[i * dim], &x[(i + 1) * dim]);
        for (std::size_t k = 0; k < dim; ++k) {
            if (kept[k] == 0.0) continue;
            CHECK(static_cast<double>(left[k]) == kept[k]);
            left[k] = 0.0f;
        }
        const std::vector<double> meant = rotated(left.data(), dim);
        for (std::size_t k = 0; k < dim; ++k)
            CHECK(std::abs(static_cast<double>(a.at(i, k)) * a.scale[i] - meant[k]) <= 0.501 * a.scale[i]);
        for (std::size_t k = dim; k < int8::padded_dim(dim); ++k) CHECK(a.at(i, k) == 0);
    }
    for (std::size_t j = 0; j < int8::padded_columns(columns); ++j) {
        std::int64_t sum = 0;
        for (std::size_t k = 0; k < int8::padded_dim(dim); ++k) sum += b.at(j, k);
        CHECK(sum == b.sum[j]);
        if (j >= columns) {
            CHECK(b.scale[j] == 0.0f);
            continue;
        }
        const std::vector<double> meant = rotated(&w[j * dim], dim);
        for (std::size_t k = 0; k < dim; ++k)
            CHECK(std::abs(static_cast<double>(b.at(j, k)) * b.scale[j] - meant[k]) <= 0.501 * b.scale[j]);
        for (std::size_t k = 0; k < dim && zero == int8::zero_16; ++k)
            CHECK(b.four(j, k) <= int8::most_of_four + 2);
    }
    std::vector<double> expected(rows * columns);
    for (std::size_t i = 0; i < rows; ++i) {
        const std::vector<double> kept = a.kept_of(i);
        for (std::size_t j = 0; j < columns; ++j) {
            std::int64_t dot = 0;
            double exact = static_cast<double>(bias[j]);
            for (std::size_t k = 0; k < dim; ++k) {
                dot += a.at(i, k) * b.at(j, k);
                exact += kept[k] * static_cast<double>(w[j * dim + k]);
            }
            expected[i * columns + j] = static_cast<double>(dot) * a.scale[i] * b.scale[j] + exact;
        }
    }
    std::vector<float> out(rows * columns, std::numeric_limits<float>::quiet_NaN());
    pyfastlm::int8_linear::forward(
        {a.view, b.view, a.kept, {w.data(), pyfastlm::Storage::f32, dim, 1}, bias.data(), out.data()},
        threads);
    for (std::size_t at = 0; at < out.size(); ++at)
        CHECK(std::abs(static_cast<double>(out[at]) - expected[at]) < 1e-5 * (1 + std::abs(expected[at])));

    if (a.kept.places != nullptr) return;
    std::vector<std::int64_t> targets(rows), best(rows);
    for (std::size_t i = 0; i < rows; ++i) targets[i] = static_cast<std::int64_t>(i * 7 % columns);
    targets[0] = pyfastlm::logits::ignored;
    std::vector<float> logp(rows), lse(rows), entropy(rows);
    pyfastlm::int8_linear_logp::forward({a.view, b.view, bias.data(), targets.data(), 0.0f, 1.0f},
                                        {logp.data(), lse.data(), best.data(), entropy.data()}, threads);
    for (std::size_t i = 0; i < rows; ++i) {
        const double* const z = &expected[i * columns];
        double most = z[0], sum = 0;
        for (std::size_t j = 0; j < columns; ++j) most = std::max(most, z[j]);
        for (std::size_t j = 0; j < columns; ++j) sum += std::exp(z[j] - most);
        const double truth = most + std::log(sum);
        CHECK(std::abs(static_cast<double>(lse[i]) - truth) < 2e-5 * (1 + std::abs(truth)));
        CHECK(z[best[i]] > most - 1e-4 * (1 + std::abs(most)));
        if (i == 0)
            CHECK(logp[i] == 0.0f);
        else
            CHECK(std::abs(static_cast<double>(logp[i]) - (z[targets[i]] - truth)) <
                  4e-5 * (1 + std::abs(truth)));
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const std::int32_t zero : {int8::zero_16, int8::zero_32}) {
        for (const float share : {1.0f, 0.3f, 0.1f}) {
            for (const int threads : {1, 3}) {
                test(1, 1, 1, zero, share, threads);
                test(7, 20, 33, zero, share, threads);
                test(13, 65, 64, zero, share, threads);
                test(100, 96, 257, zero, share, threads);
                test(5, 130, 4200, zero, share, threads);
            }
        }
    }
}
