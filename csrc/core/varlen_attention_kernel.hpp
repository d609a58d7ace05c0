// Between varlen_attention.cpp (tasks and threads) and varlen_attention_kernel.cpp (one task, once per
// instruction set).
#pragma once

#include "core/simd.hpp"
#include "core/varlen_attention.hpp"

namespace pyfastlm::attention {

// Rows of one sequence and one head: queries [query, query_end) against keys [key, key_end). Query `origin`
// is the first of the sequence.
struct Task {
    std::size_t head, origin, query, query_end, key, key_end;
    [[nodiscard]] std::size_t queries() const { return query_end - query; }
    [[nodiscard]] std::size_t keys() const { return key_end - key; }
};

// Where a task of the backward pass leaves its part of the gradients that several tasks share; null if
// unwanted.
template <class T>
struct Shared {
    double* rel_bias;  // [2 * radius + 1], zero before
    T* key_bias;       // [keys of the task], zero before
};

template <class T>
struct Kernels {
    // Scratch of a task with so many queries, in bytes, aligned to 64.
    std::size_t (*forward_scratch)(const Problem<T>&, std::size_t queries);
    std::size_t (*backward_scratch)(const Problem<T>&, std::size_t queries);
    void (*forward)(const Problem<T>&, const Task&, T* out, T* lse, void* scratch);
    // `lse` [queries] and the gradients of q, k and v of the task's sequence and head are this task's alone.
    void (*backward)(const Problem<T>&, const Task&, const T* out, const T* lse, const T* grad_out,
                     const Gradients<T>&, const Shared<T>&, void* scratch);
};

}  // namespace pyfastlm::attention
