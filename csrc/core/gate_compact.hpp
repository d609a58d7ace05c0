// A gate over packed rows and the removal of those that it closes, in one pass: every row of `x` comes from
// memory once, for its gate, its copy and its normed copy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::gate_compact {

enum class Kind { scaled_sigmoid, log_sigmoid };

// z = bias + sum of weight * x, over the root mean square of the row where `normed`; G = scale * sigmoid(-z),
// or log sigmoid(z). A row is kept if G is above the threshold and it is not closed.
template <class T>
struct Problem {
    std::size_t rows, dim;
    const T* x;       // [rows, dim]
    const T* weight;  // [dim], times the weight of the gate's norm
    T bias;
    bool normed;
    Kind kind;
    T scale, threshold;
    const std::uint8_t* closed;  // [rows], 1 where G is `scale` whatever z is; or null
    const T* next;               // [dim], the weight of the norm that reads the kept rows
    double eps;                  // of both norms
};

// Outputs with room for all rows; of `index`, `kept` and `following` as many are written as rows are kept.
template <class T>
struct Result {
    T *values, *logits;   // [rows], G and z
    std::int32_t* index;  // rising
    T* kept;              // [., dim]
    T* following;         // [., dim]: kept rows over their root mean square, times `next`
};

// Returns how many rows are kept.
template <class T>
std::size_t forward(const Problem<T>& problem, const Result<T>& result, int threads);

}  // namespace pyfastlm::gate_compact
