#include "core/linear.hpp"

#include <algorithm>

#include "core/aligned.hpp"
#include "core/linear_kernel.hpp"
#include "core/parallel.hpp"

PYFASTLM_KERNELS(linear::Kernels, linear_kernels)

namespace pyfastlm::linear {
namespace {

constexpr std::size_t most_rows =
    1024;  // of a task: more would leave the caches between two pieces of the depth
constexpr std::size_t least_rows = 192;  // fewer would spend too much time packing weights

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

void forward(const Problem& problem, int threads) {
    if (problem.rows == 0 || problem.columns == 0) return;
    const Kernels kernel = linear_kernels<void>();
    const std::size_t wide = ceil_div(problem.columns, kernel.block_columns);
    const std::size_t wanted = ceil_div(4 * static_cast<std::size_t>(std::max(threads, 1)), wide);
    const std::size_t rows = std::clamp(ceil_div(problem.rows, wanted), least_rows, most_rows);
    parallel_for(wide * ceil_div(problem.rows, rows), threads, [&](std::size_t i) {
        const std::size_t row = i / wide * rows, column = i % wide * kernel.block_columns;
        const Aligned scratch(kernel.scratch_bytes);
        kernel.forward(problem,
                       {row, std::min(problem.rows, row + rows), column,
                        std::min(problem.columns, column + kernel.block_columns)},
                       scratch.get());
    });
}

}  // namespace pyfastlm::linear
