#include "core/int8_linear.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned.hpp"
#include "core/int8_kept.hpp"
#include "core/int8_linear_kernel.hpp"
#include "core/parallel.hpp"

PYFASTLM_KERNELS(int8_linear::Kernels, int8_linear_kernels)

namespace pyfastlm::int8_linear {
namespace {

constexpr std::size_t most_rows = 1024, least_rows = 96;

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

bool fours() {
    const Kernels kernel = int8_linear_kernels<void>();
    return kernel.sums16 == kernel.sums32;
}

void forward(const Problem& problem, int threads) {
    const std::size_t count = problem.rows.count, columns = problem.weights.count;
    if (count == 0 || columns == 0) return;
    const Kernels kernel = int8_linear_kernels<void>();
    const auto forward = problem.rows.zero == int8::zero_16 ? kernel.sums16 : kernel.sums32;
    const std::size_t wide = ceil_div(columns, kernel.block_columns);
    const std::size_t wanted = ceil_div(4 * static_cast<std::size_t>(std::max(threads, 1)), wide);
    const std::size_t rows = std::clamp(ceil_div(count, wanted), least_rows, most_rows);
    std::vector<int8::KeptRows> kept;
    for (std::size_t row = 0; problem.kept.places != nullptr && row < count; row += rows)
        kept.emplace_back(problem.kept, problem.rows.dim, row, std::min(count, row + rows));
    parallel_for(wide * ceil_div(count, rows), threads, [&](std::size_t i) {
        const std::size_t row = i / wide * rows, column = i % wide * kernel.block_columns;
        Task task{
            row, std::min(count, row + rows), column, std::min(columns, column + kernel.block_columns), {}};
        if (kept.empty() || kept[i / wide].columns.empty()) return forward(problem, task);
        const int8::KeptRows& of = kept[i / wide];
        const Aligned weights(of.columns.size() * kernel.tile_columns * sizeof(float));
        task.kept = {of.starts.data(), of.numbers.data(), of.columns.data(), of.columns.size(),
                     static_cast<float*>(weights.get())};
        forward(problem, task);
    });
}

}  // namespace pyfastlm::int8_linear
