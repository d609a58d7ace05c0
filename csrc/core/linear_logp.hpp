// Log-probabilities of targets under softmax(softcap(scale * hidden @ weight^T + bias)), forward and
// backward, holding one tile of logits at a time. Contract: pyfastlm/ops/linear_logp.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/logit_partial.hpp"
#include "core/storage.hpp"

namespace pyfastlm::linear_logp {

// T is the compute type: float, or double with Storage::f64. Weights are widened to it while panels are
// packed.
template <class T>
struct Problem {
    std::size_t rows, dim, vocab;
    const T* hidden;     // [rows, dim]
    const void* weight;  // [vocab, dim]
    Storage storage;
    const T* bias;                // [vocab] or null
    const std::int64_t* targets;  // [rows], in [0, vocab) or `ignored`
    T softcap;                    // 0 for none
    T scale;
};

using logits::ignored;
using logits::Result;

// Gradients that arrive at the results.
template <class T>
struct Upstream {
    const T* lse;           // [rows], from the forward pass
    const T* entropy;       // [rows], from the forward pass; null without grad_entropy
    const T* grad_logp;     // [rows]
    const T* grad_entropy;  // [rows] or null
};

template <class T>
void forward(const Problem<T>& problem, const Result<T>& result, int threads);

// The same and slope = d logp / d hidden [rows, dim], in one pass over the vocabulary: the sum over tokens of
// p * weight is kept up to date as the log-sum-exp is, by rescaling. No argmax, no entropy.
template <class T>
void forward_slope(const Problem<T>& problem, const Result<T>& result, T* slope, int threads);

// grad_hidden [rows, dim] for any upstream gradient; recomputes the logits.
template <class T>
void grad_hidden(const Problem<T>& problem, const Upstream<T>& upstream, T* grad, int threads);

// grad_weight [vocab, dim] in the storage of the weights and grad_bias [vocab]; either may be null.
template <class T>
void grad_weight(const Problem<T>& problem, const Upstream<T>& upstream, void* grad, T* grad_bias,
                 int threads);

}  // namespace pyfastlm::linear_logp
