// One task of linear, compiled once per instruction set. The weights of a task are packed once, in pieces of
// the depth that stay in the second-level cache, and serve all its rows.
#include "core/linear_kernel.hpp"

#include "core/pack.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using linear::Problem;
using linear::Task;

constexpr std::size_t columns = tile_columns<float>;
constexpr std::size_t block_columns = ceil_div(96, columns) * columns;
constexpr std::size_t most_depth = 768;  // of a piece: 288 KiB of packed weights

// Adds the piece [k, k + depth) of the sums; the first piece starts from the bias.
void add_piece(const Problem& p, const Task& t, std::size_t k, std::size_t depth, const float* panels) {
    float spare[columns];
    for (std::size_t n = t.row; n < t.row_end; n += tile_rows) {
        const Rows<const float> x = rows_of(p.x + k, n, t.row_end, p.dim);
        const float* panel = panels;
        for (std::size_t j = t.column; j < t.column_end; j += columns, panel += depth * columns) {
            const std::size_t used = smaller(columns, t.column_end - j);
            float tail[tile_rows][columns];
            Rows<float> to;
            for (std::size_t i = 0; i < tile_rows; ++i) {
                float* const row = n + i < t.row_end ? p.out + (n + i) * p.columns + j : spare;
                to.at[i] = used == columns ? row : tail[i];
                for (std::size_t c = 0; used < columns && c < used; ++c) tail[i][c] = row[c];
            }
            if (k == 0) {
                float bias[columns] = {};
                for (std::size_t c = 0; p.bias != nullptr && c < used; ++c) bias[c] = p.bias[j + c];
                tile_sums(
                    depth, x, 1, panel,
                    [&](std::size_t, std::size_t v) { return load(bias + v * lanes<float>); },
                    [&](std::size_t i, std::size_t v, Vec<float> sum) {
                        store(to.at[i] + v * lanes<float>, sum);
                    });
            } else {
                tile_product<Into::add>(depth, x, 1, panel, to);
            }
            if (used == columns) continue;
            for (std::size_t i = 0; i < tile_rows && n + i < t.row_end; ++i)
                __builtin_memcpy(p.out + (n + i) * p.columns + j, tail[i], used * sizeof(float));
        }
    }
}

void forward(const Problem& p, const Task& t, void* scratch) {
    auto* const panels = static_cast<float*>(scratch);
    const std::size_t pieces = p.dim == 0 ? 1 : ceil_div(p.dim, most_depth), step = ceil_div(p.dim, pieces);
    for (std::size_t piece = 0; piece < pieces; ++piece) {
        const std::size_t k = piece * step, depth = smaller(step, p.dim - k);
        with_stored<float>(p.storage, p.weight, t.column * p.dim + k, [&](const auto* weights) {
            for (std::size_t j = t.column; j < t.column_end; j += columns) {
                pack_columns(weights + (j - t.column) * p.dim, smaller(columns, t.column_end - j), depth,
                             p.dim, panels + (j - t.column) * depth);
            }
        });
        add_piece(p, t, k, depth, panels);
    }
}

}  // namespace

template <class>
linear::Kernels linear_kernels() {
    return {block_columns, block_columns * most_depth * sizeof(float), forward};
}

template linear::Kernels linear_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
