// The register tile of products in 8 bits. For kernel sources only (see simd.hpp).
//
// A row holds bytes, a column whole numbers in [-127, 127]; sums are exact in all ways below. Columns lie in
// panels of 16, four of the depth together: [depth / 4][16][4].
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/int8_layout.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {

static_assert(int8::widest_tile % tile_columns<float> == 0);
using int8::deep;
using int8::panel_columns;
using int8::panel_step;
using Int = Vec<std::int32_t>;

// sum[lane] += the product of the four bytes of a lane of `row` with those of `column`.
//
// For bytes of 7 bits: the sum of two products fits into 16 bits.
struct Pairs {
    static PYFASTLM_INLINE Int add(Int sum, Int row, Int column) {
#if defined(__AVX512BW__)
        const __m512i pairs = _mm512_maddubs_epi16((__m512i)row, (__m512i)column);
        return sum + (Int)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#elif defined(__AVX2__)
        const __m256i pairs = _mm256_maddubs_epi16((__m256i)row, (__m256i)column);
        return sum + (Int)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#else
        using Short = typename vector_of<std::int16_t>::type;
        const Short even = ((Short)row & 0xff) * ((Short)((Short)column << 8) >> 8);
        const Short pairs = even + ((Short)row >> 8) * ((Short)column >> 8);
        return sum + ((Int)((Int)pairs << 16) >> 16) + ((Int)pairs >> 16);
#endif
    }
};

// For bytes of 8 bits, where one product does.
struct Ones {
    static PYFASTLM_INLINE Int add(Int sum, Int row, Int column) {
        using Short = typename vector_of<std::int16_t>::type;
        const Int even = (Int)(((Short)row & 0xff) * ((Short)((Short)column << 8) >> 8));
        const Int odd = (Int)(((Short)row >> 8 & 0xff) * ((Short)column >> 8));
        return sum + ((even << 16) >> 16) + (even >> 16) + ((odd << 16) >> 16) + (odd >> 16);
    }
};

#if defined(__AVX512F__)
// For both, in one instruction, on processors that have it.
inline bool has_fours() { return __builtin_cpu_supports("avx512vnni") != 0; }

struct Fours {
    static PYFASTLM_INLINE Int add(Int sum, Int row, Int column) {
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(column));
        return sum;
    }
};
#endif

// Where column j begins, of columns that are `steps` fours deep.
PYFASTLM_INLINE const std::int8_t* column_at(const std::int8_t* panels, std::size_t j, std::size_t steps) {
    return panels + j / panel_columns * steps * panel_step + j % panel_columns * deep;
}

// finish(i, v, sum) for row i and the v-th vector of columns of a tile; `columns` is where the tile's first
// one begins, and `next` are the bytes from one panel to the next.
template <class Dot, class Finish>
PYFASTLM_INLINE void int8_sums(std::size_t steps, const Rows<const std::uint8_t>& rows,
                               const std::int8_t* columns, std::size_t next, Finish finish) {
    Int sum[tile_rows][tile_vectors] = {};
    for (std::size_t k = 0; k < steps; ++k) {
        Int column[tile_vectors];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < tile_vectors; ++v) {
            const std::size_t first = v * lanes<std::int32_t>;
            const std::int8_t* const from = columns + first / panel_columns * next + k * panel_step;
            __builtin_memcpy(&column[v], from + first % panel_columns * deep, sizeof(Int));
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < tile_rows; ++i) {
            std::int32_t four;
            __builtin_memcpy(&four, rows.at[i] + k * deep, sizeof four);
            const Int row = broadcast(four);
#pragma GCC unroll 8
            for (std::size_t v = 0; v < tile_vectors; ++v) sum[i][v] = Dot::add(sum[i][v], row, column[v]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < tile_rows; ++i) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < tile_vectors; ++v) finish(i, v, sum[i][v]);
    }
}

// finish(i, v, products) of rows n + i (before `end`) and the v-th vector of the columns of the tile at j.
template <class Dot, class Finish>
PYFASTLM_INLINE void int8_products(const int8::Rows& rows, const int8::Weights& weights, std::size_t n,
                                   std::size_t end, std::size_t j, Finish finish) {
    const std::size_t stride = int8::padded_dim(rows.dim), steps = stride / deep;
    const std::uint8_t* const values = rows.values;
    int8_sums<Dot>(
        steps, rows_of(values, n, end, stride), column_at(weights.panels, j, steps), steps * panel_step,
        [&](std::size_t i, std::size_t v, Int sum) {
            const std::size_t column = j + v * lanes<std::int32_t>;
            const Int whole = sum - load(weights.sum + column) * rows.zero;
            const float unit = rows.scale[smaller(n + i, end - 1)];
            finish(i, v, __builtin_convertvector(whole, Vec<float>) * (load(weights.scale + column) * unit));
        });
}

}  // namespace pyfastlm::PYFASTLM_ISA
