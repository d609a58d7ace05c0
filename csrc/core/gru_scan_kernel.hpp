// Between gru_scan.cpp (groups of rows and threads) and gru_scan_kernel.cpp (one group, once per instruction
// set).
#pragma once

#include "core/gru_scan.hpp"
#include "core/simd.hpp"

namespace pyfastlm::gru_scan {

// Rows that go through all steps together: `count` of them, longest first.
struct Group {
    const std::size_t* row;     // which they are
    const std::size_t* length;  // and their steps
    std::size_t count;
    std::size_t index;       // of the group
    std::size_t first_step;  // steps of the groups before
};

inline constexpr std::size_t group_rows = 32;

template <class T>
struct Kernels {
    // Weights, bias and table as forward reads them; weights as backward does.
    std::size_t (*packed_forward_bytes)(const Shape&);
    void (*pack_forward)(const Problem<T>&, const Input<T>&, void* packed);
    std::size_t (*packed_backward_bytes)(const Shape&);
    void (*pack_backward)(const Problem<T>&, void* packed);

    std::size_t (*scratch_bytes)(const Shape&);
    void (*forward)(const Problem<T>&, const States<T>&, const Group&, const void* packed, void* scratch);
    void (*backward)(const Problem<T>&, const Upstream<T>&, const Gradients<T>&, const Group&,
                     const void* packed, void* scratch);
};

}  // namespace pyfastlm::gru_scan
