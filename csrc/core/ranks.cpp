#include "core/ranks.hpp"

#include <algorithm>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "core/ranks_kernel.hpp"

PYFASTLM_KERNELS(ranks::Kernels<T>, ranks_kernels)

namespace pyfastlm::ranks {
namespace {

constexpr std::size_t pairs_of_a_task = 1 << 22;  // compared by one task, so that it lasts long enough

// Calls work(task, scratch) for pieces that cover all columns.
template <class T, class Work>
void for_pieces(const Columns<T>& in, const Kernels<T>& kernel, int threads, const Work& work) {
    if (in.columns == 0) return;
    const std::size_t pairs = std::max<std::size_t>(in.rows * in.rows / 2, 1);
    const std::size_t panels = std::max<std::size_t>(pairs_of_a_task / pairs / kernel.panel, 1);
    const std::size_t step = panels * kernel.panel, count = (in.columns + step - 1) / step;
    parallel_for(count, threads, [&](std::size_t i) {
        const Aligned scratch(kernel.row_bytes * (in.rows + 1));
        work(Task{i * step, std::min(in.columns, (i + 1) * step)}, scratch.get());
    });
}

}  // namespace

template <class T>
void centred(const Columns<T>& in, T* out, int threads) {
    const Kernels<T> kernel = ranks_kernels<T>();
    for_pieces(in, kernel, threads,
               [&](const Task& task, void* scratch) { kernel.centred(in, task, out, scratch); });
}

template <class T>
void signed_pairs(const Columns<T>& in, const T* weights, std::size_t sets, T* out, int threads) {
    const Kernels<T> kernel = ranks_kernels<T>();
    for_pieces(in, kernel, threads, [&](const Task& task, void* scratch) {
        kernel.signed_pairs(in, task, weights, sets, out, scratch);
    });
}

template void centred<float>(const Columns<float>&, float*, int);
template void centred<double>(const Columns<double>&, double*, int);
template void signed_pairs<float>(const Columns<float>&, const float*, std::size_t, float*, int);
template void signed_pairs<double>(const Columns<double>&, const double*, std::size_t, double*, int);

}  // namespace pyfastlm::ranks
