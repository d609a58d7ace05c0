#include "core/int8_linear.hpp"

#include <algorithm>

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
    return kernel.bits7 == kernel.bits8;
}

void forward(const Problem& problem, int threads) {
    const std::size_t count = problem.rows.count, columns = problem.weights.count;
    if (count == 0 || columns == 0) return;
    const Kernels kernel = int8_linear_kernels<void>();
    const auto forward = problem.rows.zero == 64 ? kernel.bits7 : kernel.bits8;
    const std::size_t wide = ceil_div(columns, kernel.block_columns);
    const std::size_t wanted = ceil_div(4 * static_cast<std::size_t>(std::max(threads, 1)), wide);
    const std::size_t rows = std::clamp(ceil_div(count, wanted), least_rows, most_rows);
    parallel_for(wide * ceil_div(count, rows), threads, [&](std::size_t i) {
        const std::size_t row = i / wide * rows, column = i % wide * kernel.block_columns;
        forward(problem,
                {row, std::min(count, row + rows), column, std::min(columns, column + kernel.block_columns)});
    });
}

}  // namespace pyfastlm::int8_linear
