// The vector code itself, compiled once per instruction set: exp, folds, widening and packing.
#include "core/pack.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

using namespace pyfastlm::PYFASTLM_ISA;

namespace {

void exp_is_accurate_and_keeps_nan() {
    for (float x = 0.0f; x > -87.0f; x -= 0.00371f) {
        const float got = exp(broadcast(x))[lanes<float> - 1];
        const double expected = std::exp(static_cast<double>(x));
        check_near(got / expected, 1.0, x > -20 ? 2.5e-7 : 6e-6, "exp");
    }
    CHECK(exp(broadcast(0.0f))[0] == 1.0f);
    for (const float x : {-88.0f, -1e30f, -std::numeric_limits<float>::infinity()})
        CHECK(exp(broadcast(x))[0] == 0.0f);
    const auto odd_nan = __builtin_bit_cast(float, 0x7fc12345u);
    CHECK(std::isnan(exp(broadcast(std::nanf("")))[0]) && std::isnan(exp(broadcast(odd_nan))[0]));
}

void folds_see_every_lane() {
    for (std::size_t i = 0; i < lanes<float>; ++i) {
        Vec<float> v = broadcast(1.0f);
        v[i] = 5.0f;
        CHECK(max_lanes<float>(v) == 5.0f);
        CHECK(sum_lanes<float>(v) == static_cast<float>(lanes<float>) + 4.0f);
    }
    CHECK(std::signbit(broadcast(-0.0f)[0]));
}

template <class T>
void slices_are_taken_and_given() {
    constexpr std::size_t n = lanes<T>;
    for (unsigned taken = 1; taken < 1u << n; taken = taken * 3 + 1) {
        T slice[n], packed[2 * n], sums[n];
        for (std::size_t i = 0; i < n; ++i) sums[i] = slice[i] = static_cast<T>(i + 1);
        take(slice, taken, packed);
        give(packed, taken, sums);
        std::size_t at = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const bool in = (taken >> i & 1u) != 0;
            CHECK(!in || packed[at++] == slice[i]);
            CHECK(sums[i] == (in ? 2 : 1) * slice[i]);
        }
    }
}

// Every half-precision number against arithmetic on its fields.
void widening_is_exact() {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const float bf16 = widen(Bf16{static_cast<std::uint16_t>(bits)});
        CHECK(__builtin_bit_cast(std::uint32_t, bf16) == bits << 16);
        const float f16 = widen(F16{static_cast<std::uint16_t>(bits)});
        const unsigned exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
        const double sign = bits & 0x8000u ? -1 : 1;
        if (exponent == 31) {
            CHECK(fraction != 0 ? std::isnan(f16) : f16 == static_cast<float>(sign) * INFINITY);
        } else {
            const double size = exponent == 0 ? std::ldexp(fraction, -24)
                                              : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
            CHECK(static_cast<double>(f16) == sign * size && std::signbit(f16) == (sign < 0));
        }
    }
}

// Every half-precision number comes back from its wide form; what lies between two goes to the even
// neighbour.
void narrowing_rounds_to_nearest_even() {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        Bf16 bf16{};
        F16 f16{};
        const float wide_bf16 = widen(Bf16{static_cast<std::uint16_t>(bits)});
        const float wide_f16 = widen(F16{static_cast<std::uint16_t>(bits)});
        narrow(wide_bf16, bf16);
        narrow(wide_f16, f16);
        CHECK(std::isnan(wide_bf16) ? std::isnan(widen(bf16)) : bf16.bits == bits);
        CHECK(std::isnan(wide_f16) ? std::isnan(widen(f16)) : f16.bits == bits);
        if (bits < 0x7bffu) {
            const float next = widen(F16{static_cast<std::uint16_t>(bits + 1)});
            narrow(wide_f16 + (next - wide_f16) / 2, f16);
            CHECK(f16.bits == bits + bits % 2);
        }
    }
    F16 f16{};
    narrow(65519.0f, f16);
    CHECK(f16.bits == 0x7bffu);
    narrow(65520.0f, f16);
    CHECK(f16.bits == 0x7c00u);
}

template <class T>
void packing_moves_every_number() {
    constexpr std::size_t columns = tile_columns<T>;
    for (const std::size_t count : {std::size_t{1}, columns - 1, columns}) {
        for (const std::size_t depth : {1u, 2u, 5u, 16u, 37u}) {
            const std::size_t stride = depth + 2;
            std::vector<T> from((count - 1) * stride + depth);
            for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(i + 1);
            std::vector<T> panel(columns * depth, T(-1));
            pack_columns(from.data(), count, depth, stride, panel.data());
            for (std::size_t k = 0; k < depth; ++k) {
                for (std::size_t j = 0; j < columns; ++j) {
                    CHECK(panel[k * columns + j] == (j < count ? from[j * stride + k] : T(0)));
                }
            }
        }
    }
    for (const std::size_t width : {std::size_t{1}, columns, 2 * columns + 3}) {
        const std::size_t rows = 3, panels = (width + columns - 1) / columns, stride = width + 1;
        std::vector<T> from((rows - 1) * stride + width);
        for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(i + 1);
        std::vector<T> packed(panels * rows * columns, T(-1));
        pack_rows(from.data(), rows, width, stride, packed.data());
        for (std::size_t d = 0; d < panels * columns; ++d) {
            for (std::size_t k = 0; k < rows; ++k) {
                const T got = packed[(d / columns * rows + k) * columns + d % columns];
                CHECK(got == (d < width ? from[k * stride + d] : T(0)));
            }
        }
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    exp_is_accurate_and_keeps_nan();
    folds_see_every_lane();
    slices_are_taken_and_given<float>();
    slices_are_taken_and_given<double>();
    widening_is_exact();
    narrowing_rounds_to_nearest_even();
    packing_moves_every_number<float>();
    packing_moves_every_number<double>();
}
