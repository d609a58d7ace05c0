// Statistics of softmax over a vocabulary that is looked at in parts, whatever makes the logits: what one
// part knows, how parts are put together, and which part is whose task.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "core/aligned.hpp"
#include "core/logit_partial.hpp"
#include "core/parallel.hpp"

namespace pyfastlm::logits {

inline std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Cuts [0, size) into pieces of `step`.
inline Range piece(std::size_t index, std::size_t step, std::size_t size) {
    return {index * step, std::min((index + 1) * step, size)};
}

template <class T>
void merge(Partial<T>& into, const Partial<T>& part) {
    if (part.target != -std::numeric_limits<T>::infinity()) into.target = part.target;
    if (part.max > into.max) into.best = part.best;
    const double max = std::max(into.max, part.max);
    const auto rescaled = [max](const Partial<T>& p) {
        const double shift = static_cast<double>(p.max) - max;
        const double factor = std::isinf(shift) ? 0.0 : std::exp(shift);
        const double moved = std::isinf(shift) ? 0.0 : p.sum * shift;
        return std::pair(p.sum * factor, (p.weighted + moved) * factor);
    };
    const auto [sum_a, weighted_a] = rescaled(into);
    const auto [sum_b, weighted_b] = rescaled(part);
    into.max = static_cast<T>(max);
    into.sum = sum_a + sum_b;
    into.weighted = weighted_a + weighted_b;
}

template <class T>
void write(std::int64_t target, const Result<T>& result, std::size_t row, const Partial<T>& p) {
    const double log_sum = std::log(p.sum);
    result.lse[row] = static_cast<T>(static_cast<double>(p.max) + log_sum);
    result.logp[row] =
        target == ignored
            ? T(0)
            : static_cast<T>((static_cast<double>(p.target) - static_cast<double>(p.max)) - log_sum);
    if (result.argmax != nullptr) result.argmax[row] = p.best;
    if (result.entropy != nullptr) result.entropy[row] = static_cast<T>(log_sum - p.weighted / p.sum);
}

// Fills `result` [rows]. statistics(first, rows, vocab, out, scratch) writes what a part of the vocabulary
// knows of rows `first + rows` to out[rows]. Parts are a matter of the vocabulary's size alone, so results
// depend neither on threads nor on other rows.
template <class T, class Statistics>
void forward(std::size_t rows_of_all, std::size_t vocab, const std::int64_t* targets, const Result<T>& result,
             std::size_t scratch_bytes, int threads, Statistics statistics) {
    constexpr std::size_t rows_at_once = 2048;  // bounds the partial results held for all parts
    constexpr std::size_t rows_per_task = 192;  // at least: fewer would spend too much time packing weights
    const std::size_t vocab_step = std::max<std::size_t>(4096, ceil_div(vocab, 16 * 64) * 64);
    const std::size_t parts = ceil_div(vocab, vocab_step);
    std::vector<Partial<T>> partials(parts * std::min(rows_at_once, rows_of_all));
    for (std::size_t first = 0; first < rows_of_all; first += rows_at_once) {
        const std::size_t rows = std::min(rows_at_once, rows_of_all - first);
        const std::size_t wanted = ceil_div(4 * static_cast<std::size_t>(std::max(threads, 1)), parts);
        const std::size_t row_step = std::max(rows_per_task, ceil_div(rows, wanted));
        const std::size_t row_tasks = ceil_div(rows, row_step);
        parallel_for(parts * row_tasks, threads, [&](std::size_t task) {
            const Aligned scratch(scratch_bytes);
            const std::size_t at = task % parts;
            statistics(first, piece(task / parts, row_step, rows), piece(at, vocab_step, vocab),
                       &partials[at * rows], scratch.get());
        });
        for (std::size_t row = 0; row < rows; ++row) {
            Partial<T> all = partials[row];
            for (std::size_t at = 1; at < parts; ++at) merge(all, partials[at * rows + row]);
            write(targets[first + row], result, first + row, all);
        }
    }
}

}  // namespace pyfastlm::logits
