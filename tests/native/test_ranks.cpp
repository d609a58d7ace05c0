// ranks against loops over all pairs, for the instruction set in use. Buffers are exact in size and filled
// with NaN, so that AddressSanitizer sees a step outside and a missing write shows.
#include "core/ranks.hpp"

#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace ranks = pyfastlm::ranks;

template <class T>
int sign(T a, T b) {
    return (a > b ? 1 : 0) - (a < b ? 1 : 0);
}

// Few different numbers, so that there are ties, and here and there one that is missing or infinite.
template <class T>
std::vector<T> numbers(std::size_t count) {
    std::mt19937 random(5);
    std::vector<T> x(count);
    for (T& v : x) {
        const auto draw = random() % 40;
        v = draw == 39   ? std::numeric_limits<T>::quiet_NaN()
            : draw == 38 ? std::numeric_limits<T>::infinity()
            : draw == 37 ? T(-0.0)
                         : static_cast<T>(random() % 60) - T(30);
    }
    return x;
}

template <class T>
void against_loops(std::size_t rows, std::size_t columns, std::size_t gap, std::size_t sets, int threads) {
    const std::size_t stride = columns + gap;
    const std::vector<T> x = numbers<T>(rows == 0 ? 0 : (rows - 1) * stride + columns);
    const ranks::Columns<T> in{rows, columns, x.data(), stride};
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
    std::vector<T> weights(rows * (rows == 0 ? 0 : rows - 1) / 2 * sets);
    for (T& w : weights) w = static_cast<T>(random() % 3) - T(1);
    std::vector<T> sums(sets * columns, unset);
    ranks::signed_pairs(in, weights.data(), sets, sums.data(), threads);
    for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t k = 0; k < sets; ++k) {
            T sum = 0;
            std::size_t pair = 0;
            for (std::size_t i = 1; i < rows; ++i) {
                for (std::size_t j = 0; j < i; ++j, ++pair) {
                    sum +=
                        static_cast<T>(sign(x[i * stride + c], x[j * stride + c])) * weights[pair * sets + k];
                }
            }
            CHECK(sums[k * columns + c] == sum);
        }
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const std::size_t rows : {0, 1, 2, 3, 4, 5, 9, 31}) {
        for (const std::size_t columns : {0, 1, 15, 16, 64, 65, 131}) {
            against_loops<float>(rows, columns, 0, 1 + columns % 5, 1);
            against_loops<double>(rows, columns, 3, 1 + rows % 5, 1);
        }
    }
    against_loops<float>(90, 2500, 1, 22, 2);
    against_loops<double>(90, 1300, 0, 13, 2);
    return 0;
}
