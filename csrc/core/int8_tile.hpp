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

// sum[lane] += the products of the four bytes of a lane of each row with those of its column. So many are
// taken together, for so many rows of a tile: what the registers hold.

// For rows of zero_16: four products are added up in 16 bits (int8::most_of_four).
struct Eights {
    static constexpr std::size_t together = 2, rows = 3;
    static PYFASTLM_INLINE Int add(Int sum, const Int (&row)[2], const Int (&column)[2]) {
#if defined(__AVX512BW__)
        const __m512i fours = _mm512_add_epi16(_mm512_maddubs_epi16((__m512i)row[0], (__m512i)column[0]),
                                               _mm512_maddubs_epi16((__m512i)row[1], (__m512i)column[1]));
        return sum + (Int)_mm512_madd_epi16(fours, _mm512_set1_epi16(1));
#elif defined(__AVX2__)
        // Left to themselves, compilers move products away from their sums, until registers run out.
        Int fours, more;
        __asm__(
            "vpmaddubsw %[c0], %[r0], %[fours]\n\t"
            "vpmaddubsw %[c1], %[r1], %[more]\n\t"
            "vpaddw %[more], %[fours], %[fours]\n\t"
            "vpmaddwd %[ones], %[fours], %[fours]\n\t"
            "vpaddd %[fours], %[sum], %[sum]"
            : [sum] "+x"(sum), [fours] "=&x"(fours), [more] "=&x"(more)
            : [r0] "x"(row[0]), [r1] "x"(row[1]), [c0] "x"(column[0]), [c1] "x"(column[1]),
              [ones] "x"(_mm256_set1_epi16(1)));
        return sum;
#else
        using Short = typename vector_of<std::int16_t>::type;
        Short fours{};
        for (std::size_t s = 0; s < 2; ++s) {
            fours += ((Short)row[s] & 0xff) * ((Short)((Short)column[s] << 8) >> 8);
            fours += ((Short)row[s] >> 8 & 0xff) * ((Short)column[s] >> 8);
        }
        return sum + ((Int)((Int)fours << 16) >> 16) + ((Int)fours >> 16);
#endif
    }
};

// For rows of zero_32, where one product fits.
struct Ones {
    static constexpr std::size_t together = 1, rows = tile_rows;
    static PYFASTLM_INLINE Int add(Int sum, const Int (&row)[1], const Int (&column)[1]) {
        using Short = typename vector_of<std::int16_t>::type;
        const Int even = (Int)(((Short)row[0] & 0xff) * ((Short)((Short)column[0] << 8) >> 8));
        const Int odd = (Int)(((Short)row[0] >> 8 & 0xff) * ((Short)column[0] >> 8));
        return sum + ((even << 16) >> 16) + (even >> 16) + ((odd << 16) >> 16) + (odd >> 16);
    }
};

#if defined(__AVX512F__)
// For both, in one instruction, on processors that have it.
inline bool has_fours() { return __builtin_cpu_supports("avx512vnni") != 0; }

struct Fours {
    static constexpr std::size_t together = 1, rows = tile_rows;
    static PYFASTLM_INLINE Int add(Int sum, const Int (&row)[1], const Int (&column)[1]) {
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(row[0]), "v"(column[0]));
        return sum;
    }
};
#endif

// Where column j begins, of columns that are `steps` fours deep.
PYFASTLM_INLINE const std::int8_t* column_at(const std::int8_t* panels, std::size_t j, std::size_t steps) {
    return panels + j / panel_columns * steps * panel_step + j % panel_columns * deep;
}

// finish(i, v, sum) for Dot::rows rows of a tile, from `first` on, and the v-th vector of its columns;
// `columns` is where the tile's first one begins, and `next` are the bytes from one panel to the next.
template <class Dot, class Finish>
PYFASTLM_INLINE void int8_sums(std::size_t steps, const Rows<const std::uint8_t>& rows, std::size_t first,
                               const std::int8_t* columns, std::size_t next, Finish finish) {
    constexpr std::size_t together = Dot::together;
    static_assert(tile_rows % Dot::rows == 0 && int8::group % (together * deep) == 0);
    Int sum[Dot::rows][tile_vectors] = {};
    for (std::size_t k = 0; k < steps; k += together) {
        Int column[tile_vectors][together];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < tile_vectors; ++v) {
            const std::size_t j = v * lanes<std::int32_t>;
            const std::int8_t* const from = columns + j / panel_columns * next + j % panel_columns * deep;
#pragma GCC unroll 2
            for (std::size_t s = 0; s < together; ++s)
                __builtin_memcpy(&column[v][s], from + (k + s) * panel_step, sizeof(Int));
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < Dot::rows; ++i) {
            Int row[together];
#pragma GCC unroll 2
            for (std::size_t s = 0; s < together; ++s) {
                std::int32_t four;
                __builtin_memcpy(&four, rows.at[first + i] + (k + s) * deep, sizeof four);
                row[s] = broadcast(four);
            }
#pragma GCC unroll 8
            for (std::size_t v = 0; v < tile_vectors; ++v) sum[i][v] = Dot::add(sum[i][v], row, column[v]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Dot::rows; ++i) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < tile_vectors; ++v) finish(first + i, v, sum[i][v]);
    }
}

// finish(i, v, products) of rows n + i (before `end`) and the v-th vector of the columns of the tile at j.
template <class Dot, class Finish>
PYFASTLM_INLINE void int8_products(const int8::Rows& rows, const int8::Weights& weights, std::size_t n,
                                   std::size_t end, std::size_t j, Finish finish) {
    const std::size_t stride = int8::padded_dim(rows.dim), steps = stride / deep;
    const auto at = rows_of<const std::uint8_t>(rows.values, n, end, stride);
    const std::int8_t* const columns = column_at(weights.panels, j, steps);
#pragma GCC unroll 8
    for (std::size_t first = 0; first < tile_rows; first += Dot::rows) {
        int8_sums<Dot>(
            steps, at, first, columns, steps * panel_step, [&](std::size_t i, std::size_t v, Int sum) {
                const std::size_t column = j + v * lanes<std::int32_t>;
                const Int whole = sum - load(weights.sum + column) * rows.zero;
                const float unit = rows.scale[smaller(n + i, end - 1)];
                finish(i, v,
                       __builtin_convertvector(whole, Vec<float>) * (load(weights.scale + column) * unit));
            });
    }
}

}  // namespace pyfastlm::PYFASTLM_ISA
