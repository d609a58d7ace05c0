// What is found of rows of logits, and what a part of the vocabulary knows about one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::logits {

inline constexpr std::int64_t ignored = -100;  // a target that gives 0

template <class T>
struct Result {
    T* logp;               // [rows], 0 where the target is ignored
    T* lse;                // [rows], log-sum-exp of the logits
    std::int64_t* argmax;  // [rows] or null
    T* entropy;            // [rows] or null
};

struct Range {
    std::size_t begin, end;
    [[nodiscard]] std::size_t size() const { return end - begin; }
};

// With m the largest logit z:
template <class T>
struct Partial {
    T max;              // m
    T target;           // z of the target, where this part holds it
    double sum;         // sum of e^(z - m)
    double weighted;    // sum of (z - m) e^(z - m); only where entropy is asked for
    std::int64_t best;  // lowest index of m; only where argmax is asked for
};

}  // namespace pyfastlm::logits
