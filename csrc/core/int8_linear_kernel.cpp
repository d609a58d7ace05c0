// One task of int8_linear, compiled once per instruction set.
#include "core/int8_linear_kernel.hpp"

#include "core/int8_tile.hpp"
#include "core/pack.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using int8_linear::Problem;
using int8_linear::Task;

constexpr std::size_t block_columns = 128;
constexpr std::size_t n = lanes<float>;
constexpr std::size_t columns = tile_columns<float>;

// Weights [kept columns][columns] of what rows keep, for the tiles at column j.
void gather(const Problem& p, const Task& t, std::size_t j) {
    with_stored<float>(p.source.storage, p.source.at, j * p.source.stride, [&](const auto* from) {
        for (std::size_t c = 0; c < columns; ++c, from += p.source.stride) {
            const bool real = j + c < t.column_end;
            for (std::size_t k = 0; k < t.kept.count; ++k)
                t.kept.weights[k * columns + c] =
                    real ? widen(from[t.kept.columns[k] * p.source.step]) : 0.0f;
        }
    });
}

// out[columns] += the products of what a row keeps.
void add_kept(const int8::KeptNumber* begin, const int8::KeptNumber* end, const float* weights, float* out) {
    Vec<float> sum[tile_vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < tile_vectors; ++v) sum[v] = load(out + v * n);
    for (const int8::KeptNumber* of = begin; of < end; ++of) {
        const Vec<float> number = broadcast(of->number);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < tile_vectors; ++v)
            sum[v] += number * load(weights + of->column * columns + v * n);
    }
#pragma GCC unroll 8
    for (std::size_t v = 0; v < tile_vectors; ++v) store(out + v * n, sum[v]);
}

template <class Dot>
void forward(const Problem& p, const Task& t) {
    float spare[columns], tail[tile_rows][columns];
    for (std::size_t j = t.column; j < t.column_end; j += columns) {
        const std::size_t used = smaller(columns, t.column_end - j);
        float bias[columns] = {};
        if (p.bias != nullptr) __builtin_memcpy(bias, p.bias + j, used * sizeof(float));
        if (t.kept.count > 0) gather(p, t, j);
        for (std::size_t row = t.row; row < t.row_end; row += tile_rows) {
            float* to[tile_rows];
            for (std::size_t i = 0; i < tile_rows; ++i) {
                float* const there = row + i < t.row_end ? p.out + (row + i) * p.weights.count + j : spare;
                to[i] = used < columns ? tail[i] : there;
            }
            int8_products<Dot>(p.rows, p.weights, row, t.row_end, j,
                               [&](std::size_t i, std::size_t v, Vec<float> products) {
                                   store(to[i] + v * n, products + load(bias + v * n));
                               });
            for (std::size_t i = 0; t.kept.count > 0 && i < tile_rows && row + i < t.row_end; ++i) {
                const std::size_t* const start = t.kept.starts + (row + i - t.row);
                add_kept(t.kept.numbers + start[0], t.kept.numbers + start[1], t.kept.weights, to[i]);
            }
            for (std::size_t i = 0; used < columns && i < tile_rows && row + i < t.row_end; ++i)
                __builtin_memcpy(p.out + (row + i) * p.weights.count + j, tail[i], used * sizeof(float));
        }
    }
}

}  // namespace

template <class T>
int8_linear::Kernels int8_linear_kernels() {
#if defined(__AVX512F__)
    if (has_fours()) return {block_columns, columns, forward<Fours>, forward<Fours>};
#endif
    return {block_columns, columns, forward<Eights>, forward<Ones>};
}

template int8_linear::Kernels int8_linear_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
