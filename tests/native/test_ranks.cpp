// ranks against loops over all pairs, for the instruction set in use. Buffers are exact in size and filled
// with NaN, so that AddressSanitizer sees a step outside and a missing write shows.
#include "core/ranks.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "core/concordance.hpp"

namespace {

namespace ranks = pyfastlm::ranks;

template <class T>
int sign(T a, T b) {
    return (a > b ? 1 : 0) - (a < b ? 1 : 0);
}

enum class Kind { odd, plain, tied, near, far };
constexpr Kind kinds[] = {Kind::odd, Kind::plain, Kind::tied, Kind::near, Kind::far};

// odd: few different numbers, here and there one that is missing or infinite; plain: all different; tied: few
// different ones; near: many of which only the last bit differs; far: some too great for the others to be
// told apart beside them.
template <class T>
std::vector<T> numbers(std::size_t count, Kind kind) {
    std::mt19937 random(5);
    const auto plain = [&] { return static_cast<T>(random()) / T(7e8) - T(3); };
    std::vector<T> x(count);
    for (T& v : x) {
        const auto draw = random() % 40;
        if (kind == Kind::odd) {
            v = draw == 39   ? std::numeric_limits<T>::quiet_NaN()
                : draw == 38 ? std::numeric_limits<T>::infinity()
                : draw == 37 ? T(-0.0)
                             : static_cast<T>(random() % 60) - T(30);
        } else if (kind == Kind::tied) {
            v = draw == 39 ? T(-0.0) : static_cast<T>(random() % 60) - T(30);
        } else if (kind == Kind::near) {
            v = static_cast<T>(random() % 9) + T(1);
            if (draw % 2 == 0) v = std::nextafter(v, T(100));
        } else {
            v = kind == Kind::far && draw == 0 ? plain() * T(1e9) : plain();
        }
    }
    return x;
}

template <class T>
void against_loops(Kind kind, std::size_t rows, std::size_t columns, std::size_t gap, std::size_t sets,
                   int threads) {
    const std::size_t stride = columns + gap;
    const std::vector<T> x = numbers<T>(rows == 0 ? 0 : (rows - 1) * stride + columns, kind);
    const pyfastlm::Columns<T> in{rows, columns, x.data(), stride};
    const T unset = std::numeric_limits<T>::quiet_NaN();

    std::vector<T> centred(rows * columns, unset);
    ranks::centred(in, centred.data(), threads);
    for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t i = 0; i < rows; ++i) {
            int sum = 0;
            for (std::size_t j = 0; j < rows; ++j) sum += sign(x[i * stride + c], x[j * stride + c]);
            CHECK(centred[i * columns + c] == static_cast<T>(sum));
        }
    }

    std::mt19937 random(6);
    std::vector<T> weights(rows * sets);
    for (T& w : weights) w = static_cast<T>(random() % 99) - T(49);
    std::vector<T> products(sets * columns, unset), squares(columns, unset);
    ranks::products(in, weights.data(), sets, products.data(), squares.data(), threads);
    for (std::size_t c = 0; c < columns; ++c) {
        double square = 0;
        for (std::size_t i = 0; i < rows; ++i)
            square += double(centred[i * columns + c]) * double(centred[i * columns + c]);
        CHECK(double(squares[c]) == square || rows > 369);
        for (std::size_t k = 0; k < sets; ++k) {
            double sum = 0;
            for (std::size_t i = 0; i < rows; ++i)
                sum += double(centred[i * columns + c]) * double(weights[i * sets + k]);
            CHECK(double(products[k * columns + c]) == sum);
        }
    }

    for (const unsigned different : {4u, 1u << 30}) {  // with ties in y, and hardly any
        std::vector<double> y(rows * sets);
        for (double& v : y) v = static_cast<double>(random() % different);
        std::vector<T> sums(sets * columns, unset);
        pyfastlm::concordance::count(in, y.data(), sets, sums.data(), threads);
        for (std::size_t c = 0; c < columns; ++c) {
            for (std::size_t k = 0; k < sets; ++k) {
                int sum = 0;
                for (std::size_t i = 1; i < rows; ++i) {
                    for (std::size_t j = 0; j < i; ++j)
                        sum += sign(x[i * stride + c], x[j * stride + c]) *
                               sign(y[i * sets + k], y[j * sets + k]);
                }
                CHECK(sums[k * columns + c] == static_cast<T>(sum));
            }
        }
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const Kind kind : kinds) {
        for (const std::size_t rows : {0, 1, 2, 3, 5, 9, 31, 47, 97, 128}) {
            for (const std::size_t columns : {0, 1, 15, 16, 64, 65}) {
                against_loops<float>(kind, rows, columns, 0, 1 + columns % 5, 1);
                against_loops<double>(kind, rows, columns, 3, 1 + rows % 5, 1);
            }
        }
        against_loops<float>(kind, 90, 500, 1, 22, 2);
        against_loops<double>(kind, 90, 300, 0, 13, 2);
        against_loops<float>(kind, 513, 20, 0, 1, 1);
        against_loops<double>(kind, 129, 20, 0, 11, 1);
    }
    return 0;
}
