// One task of int8::quantize, compiled once per instruction set, without fusing products with sums: rounding
// is the same for all.
#include "core/int8_quantize_kernel.hpp"

#include "core/rotation.hpp"
#include "core/scratch.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

constexpr std::size_t n = lanes<float>;
constexpr std::size_t strip = 4 * n;  // numbers that are looked at together, for the sake of latencies
using Int = Vec<std::int32_t>;

// A row rotated and divided, such that its largest number becomes `most`, or its largest four come to what
// they may.
class Quantizer {
  public:
    Quantizer(std::size_t dim, float most, Scratch& scratch)
        : dim_(dim), room_(room(dim)), most_(most), rotation_(dim, scratch),
          row_(scratch.take<float>(room_)) {}

    // Numbers that a row has room for: whole strips, and whole groups.
    static std::size_t room(std::size_t dim) { return (int8::padded_dim(dim) + strip - 1) / strip * strip; }

    void take(const float* x) {
        __builtin_memcpy(row_, x, dim_ * sizeof(float));
        __builtin_memset(row_ + dim_, 0, (room_ - dim_) * sizeof(float));
    }

    // Takes out what is to be kept of row i.
    void leave_out(float share, const int8::Kept& kept, std::size_t i) {
        std::int32_t* const places = kept.places + i * kept.most;
        float* const numbers = kept.numbers + i * kept.most;
        const float least = at_most(static_cast<double>(share) * length());
        std::size_t count = 0;
        for (std::size_t j = 0; j < room_ && count < kept.most; j += strip) {
            Vec<float> largest{};
#pragma GCC unroll 4
            for (std::size_t v = 0; v < strip; v += n)
                largest = max<float>(largest, size(load(row_ + j + v)));
            if (!(max_lanes<float>(largest) > least)) continue;
            for (std::size_t k = j; k < j + strip && count < kept.most; ++k) {
                if (!(__builtin_fabsf(row_[k]) > least)) continue;
                places[count] = static_cast<std::int32_t>(k);
                numbers[count++] = row_[k];
                row_[k] = 0.0f;
            }
        }
        for (; count < kept.most; ++count) places[count] = -1, numbers[count] = 0.0f;
    }

    // Rotates; returns what a whole number stands for, NaN if one of the row is not finite.
    float turn(float most_of_four = __builtin_inff()) {
        rotation_.apply(row_);
        Vec<float> largest[strip / n] = {}, nothing[strip / n] = {};
        for (std::size_t j = 0; j < room_; j += strip) {
#pragma GCC unroll 4
            for (std::size_t v = 0; v < strip / n; ++v) {
                const Vec<float> x = load(row_ + j + v * n);
                largest[v] = max<float>(largest[v], size(x));
                nothing[v] += x - x;
            }
        }
#pragma GCC unroll 4
        for (std::size_t v = 1; v < strip / n; ++v) {
            largest[0] = max<float>(largest[0], largest[v]);
            nothing[0] += nothing[v];
        }
        float top = max_lanes<float>(largest[0]), most = most_;
        const float four = most_of_four < __builtin_inff() ? largest_four() : 0.0f;
        if (most_of_four / four < most / top) top = four, most = most_of_four;
        inverse_ = top > 0.0f ? most / top : 0.0f;
        const bool finite = sum_lanes<float>(nothing[0]) == 0.0f && inverse_ < __builtin_inff();
        if (!finite) inverse_ = 0.0f;
        return finite ? top / most / rotation_.length() : __builtin_nanf("");
    }

    // Whole numbers of the row, a vector of them from place j on.
    [[nodiscard]] PYFASTLM_INLINE Int at(std::size_t j) const {
        return inverse_ > 0.0f ? nearest(load(row_ + j) * inverse_) : Int{};
    }

  private:
    static PYFASTLM_INLINE Vec<float> size(Vec<float> x) { return max<float>(x, -x); }

    // The root of the sum of squares.
    [[nodiscard]] double length() const {
        typedef float Half __attribute__((vector_size(sizeof(float) * lanes<double>)));
        Vec<double> squares[strip / lanes<double>] = {};
        for (std::size_t j = 0; j < room_; j += strip) {
#pragma GCC unroll 8
            for (std::size_t v = 0; v < strip / lanes<double>; ++v) {
                Half half;
                __builtin_memcpy(&half, row_ + j + v * lanes<double>, sizeof half);
                const Vec<double> x = __builtin_convertvector(half, Vec<double>);
                squares[v] += x * x;
            }
        }
#pragma GCC unroll 8
        for (std::size_t v = 1; v < strip / lanes<double>; ++v) squares[0] += squares[v];
        return __builtin_sqrt(sum_lanes<double>(squares[0]));
    }

    // The greatest float up to x >= 0.
    static float at_most(double x) {
        const float near = static_cast<float>(x);
        const auto bits = __builtin_bit_cast(std::uint32_t, near);
        return static_cast<double>(near) > x ? __builtin_bit_cast(float, bits - 1) : near;
    }

    // Of numbers of one sign that are added up in 16 bits (int8::most_of_four).
    [[nodiscard]] float largest_four() const {
        float largest = 0.0f;
        for (std::size_t group = 0; group < dim_; group += int8::group) {
            for (const std::size_t first : {group, group + 2}) {
                for (const float sign : {1.0f, -1.0f}) {
                    const auto part = [&](std::size_t j) {
                        const float v = sign * row_[j];
                        return v > 0.0f ? v : 0.0f;
                    };
                    const float four = (part(first) + part(first + 1)) + (part(first + 4) + part(first + 5));
                    largest = largest < four ? four : largest;
                }
            }
        }
        return largest;
    }

    std::size_t dim_, room_;
    float most_, inverse_ = 0.0f;
    Rotation rotation_;
    float* row_;
};

// Whole numbers in [0, 255], a byte each. Left to itself, the compiler takes an AVX2 vector apart.
PYFASTLM_INLINE void write_bytes(std::uint8_t* to, Int whole) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    const __m256i wide = (__m256i)whole;
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
#else
    typedef std::uint8_t Bytes __attribute__((vector_size(n)));
    const Bytes bytes = __builtin_convertvector(whole, Bytes);
    __builtin_memcpy(to, &bytes, sizeof bytes);
#endif
}

void quantize_rows(const float* x, const int8::Rows& to, float share, const int8::Kept& kept,
                   std::size_t begin, std::size_t end, void* memory) {
    const std::size_t stride = int8::padded_dim(to.dim);
    Scratch scratch(memory);
    Quantizer quantizer(to.dim, static_cast<float>(to.zero - 1), scratch);
    for (std::size_t i = begin; i < end; ++i) {
        quantizer.take(x + i * to.dim);
        if (kept.places != nullptr) quantizer.leave_out(share, kept, i);
        to.scale[i] = quantizer.turn();
        std::uint8_t* const row = to.values + i * stride;
        std::size_t j = 0;
        for (; j + n <= stride; j += n) write_bytes(row + j, quantizer.at(j) + to.zero);
        if (j < stride) {
            std::uint8_t last[n];
            write_bytes(last, quantizer.at(j) + to.zero);
            __builtin_memcpy(row + j, last, stride - j);
        }
    }
}

void quantize_panel(const float* weight, const int8::Weights& to, std::size_t panel, void* memory) {
    const std::size_t depth = int8::padded_dim(to.dim), step = int8::panel_step;
    std::int8_t* const out = to.panels + panel * depth * int8::panel_columns;
    Scratch scratch(memory);
    Quantizer quantizer(to.dim, 127.0f, scratch);
    const float most_of_four = to.zero == int8::zero_16 ? int8::most_of_four : __builtin_inff();
    std::int32_t* const whole = scratch.take<std::int32_t>(Quantizer::room(to.dim));
    for (std::size_t c = 0; c < int8::panel_columns; ++c) {
        const std::size_t column = panel * int8::panel_columns + c;
        to.scale[column] = 0.0f;
        to.sum[column] = 0;
        if (column >= to.count) {
            __builtin_memset(whole, 0, depth * sizeof(std::int32_t));
        } else {
            quantizer.take(weight + column * to.dim);
            to.scale[column] = quantizer.turn(most_of_four);
            for (std::size_t j = 0; j < depth; j += n) store(whole + j, quantizer.at(j));
        }
        for (std::size_t k = 0; k < depth; ++k) {
            out[k / int8::deep * step + c * int8::deep + k % int8::deep] = static_cast<std::int8_t>(whole[k]);
            to.sum[column] += whole[k];
        }
    }
}

std::size_t scratch_bytes(std::size_t dim) {
    const std::size_t room = Quantizer::room(dim);
    return Rotation::scratch_bytes(dim) + room * (sizeof(float) + sizeof(std::int32_t)) + 2 * 64;
}

}  // namespace

template <class T>
int8::QuantizeKernels int8_quantize_kernels() {
    return {scratch_bytes, quantize_rows, quantize_panel};
}

template int8::QuantizeKernels int8_quantize_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
