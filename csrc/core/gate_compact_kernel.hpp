// Between gate_compact.cpp (chunks and threads) and gate_compact_kernel.cpp (one row, once per instruction
// set).
#pragma once

#include "core/simd.hpp"

namespace pyfastlm::gate_compact {

template <class T>
struct Sums {
    double squares, weighted;
};

template <class T>
struct Kernels {
    Sums<T> (*sums)(const T* x, const T* weight, std::size_t dim);
    // to = x * factor * weight.
    void (*scale)(const T* x, T factor, const T* weight, std::size_t dim, T* to);
};

}  // namespace pyfastlm::gate_compact
