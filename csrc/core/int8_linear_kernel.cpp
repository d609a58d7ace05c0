// One task of int8_linear, compiled once per instruction set.
#include "core/int8_linear_kernel.hpp"

#include "core/int8_tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using int8_linear::Problem;
using int8_linear::Task;

constexpr std::size_t block_columns = 128;
constexpr std::size_t n = lanes<float>;

template <class Dot>
void forward(const Problem& p, const Task& t) {
    constexpr std::size_t columns = tile_columns<float>;
    float spare[columns], tail[tile_rows][columns];
    for (std::size_t row = t.row; row < t.row_end; row += tile_rows) {
        for (std::size_t j = t.column; j < t.column_end; j += columns) {
            const std::size_t used = smaller(columns, t.column_end - j);
            float bias[columns] = {};
            if (p.bias != nullptr) __builtin_memcpy(bias, p.bias + j, used * sizeof(float));
            float* to[tile_rows];
            for (std::size_t i = 0; i < tile_rows; ++i) {
                float* const there = row + i < t.row_end ? p.out + (row + i) * p.weights.count + j : spare;
                to[i] = used < columns ? tail[i] : there;
            }
            int8_products<Dot>(p.rows, p.weights, row, t.row_end, j,
                               [&](std::size_t i, std::size_t v, Vec<float> products) {
                                   store(to[i] + v * n, products + load(bias + v * n));
                               });
            for (std::size_t i = 0; used < columns && i < tile_rows && row + i < t.row_end; ++i)
                __builtin_memcpy(p.out + (row + i) * p.weights.count + j, tail[i], used * sizeof(float));
        }
    }
}

}  // namespace

template <class T>
int8_linear::Kernels int8_linear_kernels() {
#if defined(__AVX512F__)
    if (has_fours()) return {block_columns, forward<Fours>, forward<Fours>};
#endif
    return {block_columns, forward<Eights>, forward<Ones>};
}

template int8_linear::Kernels int8_linear_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
