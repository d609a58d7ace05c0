// The states of a GRU over token ids, with the input side of its gates read from a table, and its gradients.
// The contract is in pyfastlm/ops/gru_scan.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::gru_scan {

// Gates are in torch's order r, z, n; `wide` is 3 * size.
struct Shape {
    std::size_t rows, steps, size, vocab;
};

template <class T>
struct Problem {
    Shape shape;
    const std::int64_t* ids;      // [rows, steps], in range where they count
    const std::int64_t* lengths;  // [rows] in [0, steps], or null for `steps` each
    const T* weight;              // [wide, size]
    const T* h0;                  // [rows, size] or null for zeros
};

template <class T>
struct Input {
    const T* table;  // [vocab, wide]
    const T* bias;   // [wide]
};

template <class T>
struct States {
    T* states;  // [rows, steps, size]
    T* last;    // [rows, size]
    T* gates;   // [rows, steps, 4, size]: r, z, n, and the hidden side of n; or null
};

template <class T>
void forward(const Problem<T>& problem, const Input<T>& input, const States<T>& out, int threads);

template <class T>
struct Upstream {
    const T* states;       // [rows, steps, size]
    const T* gates;        // [rows, steps, 4, size]
    const T* grad_states;  // [rows, steps, size] or null for zeros
    const T* grad_last;    // [rows, size] or null for zeros
};

// Each may be null. The gradient of the weight is before_gates^T @ before_states over all `count_steps` steps
// of all rows, which the caller leaves to a matrix product; they come in one order, whichever it is.
template <class T>
struct Gradients {
    T* h0;             // [rows, size]
    T* before_gates;   // [steps of all rows, wide], of the hidden side of the gates
    T* before_states;  // [steps of all rows, size], the states before those steps
    T* table;          // [groups(rows), vocab, wide], to be summed over the groups
};

std::size_t groups(std::size_t rows);

template <class T>
void backward(const Problem<T>& problem, const Upstream<T>& up, const Gradients<T>& out, int threads);

}  // namespace pyfastlm::gru_scan
