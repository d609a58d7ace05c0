// Between linear_logp.cpp (tasks, threads, merging) and linear_logp_kernel.cpp (one task, once per
// instruction set).
#pragma once

#include "core/linear_logp.hpp"
#include "core/simd.hpp"

namespace pyfastlm::linear_logp {

using logits::Partial;
using logits::Range;

template <class T>
struct Kernels {
    // Scratch that one task needs, in bytes, aligned to 64; the same for every task of a problem.
    std::size_t (*scratch_bytes)(const Problem<T>&);
    // Vocabulary entries that a task of grad_weight handles at once.
    std::size_t (*block_columns)(const Problem<T>&);
    void (*statistics)(const Problem<T>&, Range rows, Range vocab, bool argmax, bool entropy, Partial<T>* out,
                       void* scratch);
    void (*slope)(const Problem<T>&, Range rows, Partial<T>* out, T* slope, void* scratch);
    void (*grad_hidden)(const Problem<T>&, const Upstream<T>&, Range rows, T* grad, void* scratch);
    void (*grad_weight)(const Problem<T>&, const Upstream<T>&, Range vocab, void* grad, T* grad_bias,
                        void* scratch);
};

}  // namespace pyfastlm::linear_logp
