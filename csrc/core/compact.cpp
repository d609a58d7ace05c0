#include "core/compact.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/mover.hpp"
#include "core/parallel.hpp"

namespace pyfastlm::compact {
namespace {

constexpr std::size_t task_bytes = std::size_t{256} << 10;

std::size_t start_of(const Layout& layout, std::size_t sequence) {
    return static_cast<std::size_t>(layout.starts[sequence]);
}

// The sequence that holds packed row n.
std::size_t sequence_of(const Layout& layout, std::size_t n) {
    const std::int32_t* const end = layout.starts + layout.sequences + 1;
    return static_cast<std::size_t>(std::upper_bound(layout.starts, end, static_cast<std::int32_t>(n)) -
                                    layout.starts - 1);
}

std::size_t rows_per_task(std::size_t bytes) {
    return std::max<std::size_t>(1, task_bytes / std::max<std::size_t>(1, bytes));
}

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

[[noreturn]] void refuse(std::size_t n, std::int32_t position, std::size_t length) {
    throw std::invalid_argument("positions: expected to rise within each sequence and stay below " +
                                std::to_string(length) + ", got " + std::to_string(position) + " in row " +
                                std::to_string(n));
}

}  // namespace

void count(const std::uint8_t* keep, std::size_t sequences, std::size_t length, std::int32_t* starts) {
    starts[0] = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
        std::int32_t kept = 0;
        for (std::size_t t = 0; t < length; ++t) kept += keep[s * length + t];
        starts[s + 1] = starts[s] + kept;
    }
}

void index(const std::uint8_t* keep, std::size_t sequences, std::size_t length, const std::int32_t* starts,
           std::int32_t* positions) {
    for (std::size_t s = 0; s < sequences; ++s) {
        std::int32_t* to = positions + starts[s];
        const std::uint8_t* const row = keep + s * length;
        for (std::size_t t = 0; t < length; ++t) {
            if (row[t] != 0) *to++ = static_cast<std::int32_t>(t);
        }
    }
}

void gather(const Layout& layout, std::size_t bytes, const void* batch, void* packed, int threads) {
    const std::size_t rows = start_of(layout, layout.sequences), step = rows_per_task(bytes);
    const Mover mover(rows * bytes);
    parallel_for(ceil_div(rows, step), threads, [&](std::size_t task) {
        const std::size_t end = std::min(rows, (task + 1) * step);
        std::size_t sequence = sequence_of(layout, task * step);
        for (std::size_t n = task * step; n < end;) {
            while (n >= start_of(layout, sequence + 1)) ++sequence;
            const std::size_t last = std::min(end, start_of(layout, sequence + 1));
            const auto first = static_cast<std::size_t>(layout.positions[n]);
            std::size_t run = 1;  // neighbours move together
            while (n + run < last && static_cast<std::size_t>(layout.positions[n + run]) == first + run)
                ++run;
            mover.copy(static_cast<const char*>(batch) + (sequence * layout.length + first) * bytes,
                       static_cast<char*>(packed) + n * bytes, run * bytes);
            n += run;
        }
        mover.done();
    });
}

void scatter(const Layout& layout, std::size_t bytes, const void* packed, const void* fill, void* batch,
             int threads) {
    const std::size_t rows = layout.sequences * layout.length;
    const std::size_t step = std::min(layout.length, rows_per_task(bytes));
    const std::size_t parts = step == 0 ? 0 : ceil_div(layout.length, step);
    const Mover mover(rows * bytes);
    parallel_for(layout.sequences * parts, threads, [&](std::size_t task) {
        const std::size_t sequence = task / parts, begin = task % parts * step;
        const std::size_t end = std::min(layout.length, begin + step);
        const std::size_t first = start_of(layout, sequence), last = start_of(layout, sequence + 1);
        for (std::size_t n = first; begin == 0 && n < last; ++n) {
            const std::int32_t position = layout.positions[n];
            if (position < 0 || static_cast<std::size_t>(position) >= layout.length ||
                (n > first && position <= layout.positions[n - 1]))
                refuse(n, position, layout.length);
        }
        const std::int32_t* const positions = layout.positions;
        std::size_t n = static_cast<std::size_t>(
            std::lower_bound(positions + first, positions + last, static_cast<std::int32_t>(begin)) -
            positions);
        char* const to = static_cast<char*>(batch) + sequence * layout.length * bytes;
        for (std::size_t t = begin; t < end; ++t) {
            const bool kept = n < last && static_cast<std::size_t>(positions[n]) == t;
            const char* const next = static_cast<const char*>(packed) + n * bytes;
            if (kept) {
                mover.copy(next, to + t * bytes, bytes);
                ++n;
            } else {
                mover.fill(fill, to + t * bytes, bytes, next);
            }
        }
        mover.done();
    });
}

}  // namespace pyfastlm::compact
