#include "core/ranks.hpp"

#include <algorithm>
#include <vector>

#include "core/ranks_kernel.hpp"

PYFASTLM_KERNELS(ranks::Kernels<T>, ranks_kernels)

namespace pyfastlm::ranks {

template <class T>
void centred(const Columns<T>& in, T* out, int threads) {
    const Kernels<T> kernel = ranks_kernels<T>();
    for_pieces(in, kernel.panel, kernel.row_bytes, threads,
               [&](const Piece& piece, void* scratch) { kernel.centred(in, piece, out, scratch); });
}

template <class T>
void products(const Columns<T>& in, const T* weights, std::size_t sets, T* out, T* squares, int threads) {
    const Kernels<T> kernel = ranks_kernels<T>();
    const std::size_t padded = (sets + kernel.lanes - 1) / kernel.lanes * kernel.lanes;
    std::vector<T> wide(in.rows * padded);
    for (std::size_t row = 0; row < in.rows; ++row)
        std::copy_n(weights + row * sets, sets, wide.data() + row * padded);
    for_pieces(in, kernel.panel, kernel.row_bytes, threads, [&](const Piece& piece, void* scratch) {
        kernel.products(in, piece, wide.data(), sets, padded, out, squares, scratch);
    });
}

template void centred<float>(const Columns<float>&, float*, int);
template void centred<double>(const Columns<double>&, double*, int);
template void products<float>(const Columns<float>&, const float*, std::size_t, float*, float*, int);
template void products<double>(const Columns<double>&, const double*, std::size_t, double*, double*, int);

}  // namespace pyfastlm::ranks
