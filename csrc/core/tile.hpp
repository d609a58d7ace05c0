// The register tile under every fused matrix product. For kernel sources only (see simd.hpp).
//
// A tile holds tile_rows x tile_columns sums in registers: 6 x 16 floats with AVX2 (12 of 16 registers), 6 x
// 64 with AVX-512 and 6 x 16 with NEON (24 of 32). The right operand comes as a panel [depth][tile_columns].
// Accumulators are only ever indexed by constants: one run-time index, and the compiler keeps all of them in
// memory.
#pragma once

#include <cstddef>

#include "core/simd.hpp"

namespace pyfastlm::PYFASTLM_ISA {

#if defined(__AVX512F__) || defined(PYFASTLM_NEON)
inline constexpr std::size_t tile_vectors = 4;
#else
inline constexpr std::size_t tile_vectors = 2;
#endif
inline constexpr std::size_t tile_rows = 6;
template <class T>
inline constexpr std::size_t tile_columns = tile_vectors * lanes<T>;

// One pointer per row of a tile.
template <class T, std::size_t count = tile_rows>
struct Rows {
    T* at[count];
};

PYFASTLM_INLINE constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }
PYFASTLM_INLINE constexpr std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// out[i][j] = start(i, v) + sum over k of a[i][k * step] * panel[k][j], with v the vector that holds column
// j. `finish` takes the sums of row i and vector v where they are to go. A tile of another shape says how
// many rows and vectors it has; its panel is [depth][vectors * lanes].
template <std::size_t vectors = tile_vectors, class T, std::size_t rows, class Start, class Finish>
PYFASTLM_INLINE void tile_sums(std::size_t depth, const Rows<const T, rows>& a, std::size_t step,
                               const T* panel, Start start, Finish finish) {
    Vec<T> sum[rows][vectors];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < vectors; ++v) sum[i][v] = start(i, v);
    }
    for (std::size_t k = 0, at = 0; k < depth; ++k, at += step, panel += vectors * lanes<T>) {
        Vec<T> b[vectors];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < vectors; ++v) b[v] = load(panel + v * lanes<T>);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < rows; ++i) {
            const Vec<T> x = broadcast(a.at[i][at]);
#pragma GCC unroll 8
            for (std::size_t v = 0; v < vectors; ++v) sum[i][v] += x * b[v];
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < vectors; ++v) finish(i, v, sum[i][v]);
    }
}

enum class Into { set, add };

// out[i][j] (+)= sum over k of a[i][k * step] * panel[k][j].
template <Into mode, class T>
PYFASTLM_INLINE void tile_product(std::size_t depth, const Rows<const T>& a, std::size_t step, const T* panel,
                                  const Rows<T>& out) {
    tile_sums(
        depth, a, step, panel, [](std::size_t, std::size_t) { return Vec<T>{}; },
        [&](std::size_t i, std::size_t v, Vec<T> sum) {
            T* const to = out.at[i] + v * lanes<T>;
            store(to, mode == Into::add ? sum + load<T>(to) : sum);
        });
}

// Pointers to up to tile_rows rows from `first` on; those past the end repeat the last one.
template <class T>
Rows<T> rows_of(T* from, std::size_t first, std::size_t end, std::size_t stride) {
    Rows<T> rows;
    for (std::size_t i = 0; i < tile_rows; ++i) rows.at[i] = from + smaller(first + i, end - 1) * stride;
    return rows;
}

template <class T>
Rows<const T> read_only(const Rows<T>& rows) {
    Rows<const T> same;
    for (std::size_t i = 0; i < tile_rows; ++i) same.at[i] = rows.at[i];
    return same;
}

template <class T>
T largest(const T* z, std::size_t width) {
    Vec<T> best = load(z);
    for (std::size_t j = lanes<T>; j < width; j += lanes<T>) best = max<T>(best, load(z + j));
    return max_lanes<T>(best);
}

template <class T>
void scale_row(T* row, std::size_t size, T factor) {
    for (std::size_t d = 0; d < size; ++d) row[d] *= factor;
}

}  // namespace pyfastlm::PYFASTLM_ISA
