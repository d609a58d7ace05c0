// Attention over packed sequences of different lengths, with a bias by relative position and one by key.
//
// Scores of query i and key j of the same sequence and head: scale * q[i] . k[j]
// + rel_bias[clamp(position of j - position of i, -radius, radius) + radius] + key_bias[j]; with `causal` a
// key is seen from its own position on. With `softmax1` one more key has score 0 and value 0. A query that
// sees no key gives 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::attention {

// Rows of numbers: row n of head h starts at `at + n * row + h * head`.
template <class T>
struct Matrix {
    T* at;
    std::size_t row, head;
    [[nodiscard]] T* start(std::size_t n, std::size_t h) const { return at + n * row + h * head; }
};

// Null stands for what is absent: positions are then 0, 1, ... in each sequence.
template <class T>
struct Problem {
    std::size_t sequences, heads, dim;
    Matrix<const T> q, k, v;
    const std::int32_t *starts_q, *starts_k;  // [sequences + 1], the first row of each sequence
    const std::int32_t *positions_q, *positions_k;
    const T* rel_bias;  // [2 * radius + 1, heads]
    std::size_t radius;
    const T* key_bias;
    bool causal, softmax1;
    T scale;
};

// out [rows of q, heads, dim] and lse [heads, rows of q], the logarithm of the sum of e^score.
template <class T>
void forward(const Problem<T>& problem, T* out, T* lse, int threads);

// Gradients have the layout [rows, heads, dim]; rel_bias and key_bias that of the inputs, or null.
template <class T>
struct Gradients {
    T *q, *k, *v, *rel_bias, *key_bias;
};

template <class T>
void backward(const Problem<T>& problem, const T* out, const T* lse, const T* grad_out,
              const Gradients<T>& grads, int threads);

}  // namespace pyfastlm::attention
