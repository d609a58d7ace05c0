// Statistics of softmax over blocks of logits, whatever makes them. For kernel sources only (see simd.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/logit_partial.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {

using logits::Partial;
using logits::Range;

constexpr double lowest = -1e30;  // stands in for -infinity where that would make 0 * infinity
template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());

// c tanh(x / c) by e^(-2|x| / c), which never overflows.
template <class T>
PYFASTLM_INLINE Vec<T> capped(Vec<T> x, T softcap) {
    const Vec<T> size = max<T>(x, -x) / broadcast(softcap);
    const Vec<T> e = exp(size * T(-2));
    const Vec<T> t = (T(1) - e) / (T(1) + e) * softcap;
    return x < T(0) ? -t : t;
}

// z becomes softcap(scale * z + bias); a softcap of 0 is none.
template <class T>
void shape_logits(const Rows<T>& z, std::size_t width, T scale, const T* bias, T softcap) {
    for (std::size_t i = 0; i < tile_rows; ++i) {
        for (std::size_t j = 0; j < width; j += lanes<T>) {
            const Vec<T> x = load(z.at[i] + j) * scale + load(bias + j);
            store(z.at[i] + j, softcap == T(0) ? x : capped(x, softcap));
        }
    }
}

// Columns past the end of the vocabulary become -infinity.
template <class T>
void close_logits(const Rows<T>& z, std::size_t count, std::size_t width) {
    for (std::size_t i = 0; i < tile_rows; ++i) {
        for (std::size_t j = count; j < width; ++j) z.at[i][j] = -infinity<T>;
    }
}

// Makes the largest logit of the block part of the row; returns e^(old max - new max).
template <class T>
double raise(Partial<T>& row, T best) {
    if (!(best > row.max)) return 1.0;
    const double shift = static_cast<double>(row.max) - static_cast<double>(best);
    const double factor = __builtin_exp(shift);
    row.weighted = row.sum > 0 ? (row.weighted + row.sum * shift) * factor : 0.0;
    row.sum *= factor;
    row.max = best;
    return factor;
}

// The maximum as a finite number to subtract, also while all logits so far are -infinity.
template <class T>
T reference_of(const Partial<T>& row) {
    return row.max == -infinity<T> ? T(0) : row.max;
}

// Over one row of logits z: the largest, the sum of e^(z - m) and, where asked for, of (z - m) e^(z - m).
template <class T>
struct Sums {
    Vec<T> max, sum, weighted;
};

// One pass with the m known so far: a larger z is rare after the first blocks, and then costs a second pass.
template <class T>
PYFASTLM_INLINE Sums<T> exponentials(const T* z, std::size_t width, T reference, bool weighted) {
    const Vec<T> m = broadcast(reference);
    Sums<T> sums{broadcast(-infinity<T>), {}, {}};
    for (std::size_t j = 0; j < width; j += lanes<T>) {
        const Vec<T> x = load(z + j), e = exp(x - m);
        sums.max = max<T>(sums.max, x);
        sums.sum += e;
        if (weighted) sums.weighted += max<T>(broadcast(T(lowest)), x - m) * e;
    }
    return sums;
}

template <class T>
std::size_t first_of(const T* x, T value) {
    std::size_t j = 0;
    while (x[j] != value) ++j;
    return j;
}

template <class T>
void start(Range rows, Partial<T>* out) {
    for (std::size_t n = rows.begin; n < rows.end; ++n) {
        out[n] = {-infinity<T>, -infinity<T>, 0.0, 0.0, 0};
    }
}

// Statistics of rows over a part of the vocabulary, which `block` makes logits of piece by piece: z
// [tile_rows, capacity].
template <class T, class Block>
void gather_statistics(Block& block, const std::int64_t* targets, Range rows, Range vocab, bool argmax,
                       bool entropy, Partial<T>* out, T* buffer) {
    const Rows<T> z = rows_of(buffer, 0, tile_rows, block.capacity());
    start(rows, out);
    for (std::size_t v = vocab.begin; v < vocab.end; v += block.capacity()) {
        block.pack(v, vocab.end);
        for (std::size_t n = rows.begin; n < rows.end; n += tile_rows) {
            block.logits(n, rows.end, z);
            for (std::size_t i = 0; n + i < rows.end && i < tile_rows; ++i) {
                Partial<T>& row = out[n + i];
                const T* const x = z.at[i];
                Sums<T> sums = exponentials(x, block.width(), reference_of(row), entropy);
                if (const T best = max_lanes<T>(sums.max); best > row.max) {
                    if (argmax) row.best = static_cast<std::int64_t>(v + first_of(x, best));
                    raise(row, best);
                    sums = exponentials(x, block.width(), best, entropy);
                }
                row.sum += static_cast<double>(sum_lanes<T>(sums.sum));
                if (entropy) row.weighted += static_cast<double>(sum_lanes<T>(sums.weighted));
                const std::size_t column = block.column(targets[n + i]);
                if (column < block.count()) row.target = x[column];
            }
        }
    }
}

}  // namespace pyfastlm::PYFASTLM_ISA
