// Packed numbers, written as they are made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/minima.hpp"
#include "core/term_index/output.hpp"

namespace pyfastlm::term_index {

template <class Numbers>
void write_packed(Output& out, const Numbers& numbers, unsigned width) {
    constexpr std::size_t chunk = std::size_t{1} << 20;
    Packer packer(width);
    for (const auto number : numbers) {
        packer.push(number);
        if (packer.bytes().size() < chunk) continue;
        out.write(packer.bytes());
        packer.bytes().clear();
    }
    packer.finish();
    out.write(packer.bytes());
}

// The levels over some ranks (minima.hpp).
inline void write_minima(Output& out, std::vector<std::uint32_t> ranks, unsigned width) {
    for (const std::uint64_t size : level_sizes(ranks.size())) {
        std::vector<std::uint32_t> level(size);
        for (std::size_t i = 0; i < size; ++i) {
            const auto first = ranks.begin() + static_cast<std::ptrdiff_t>(i * fan);
            const auto last =
                ranks.begin() + static_cast<std::ptrdiff_t>(std::min((i + 1) * fan, ranks.size()));
            level[i] = *std::min_element(first, last);
        }
        write_packed(out, level, width);
        ranks = std::move(level);
    }
}

}  // namespace pyfastlm::term_index
