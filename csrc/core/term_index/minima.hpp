// The shape of the tree of least ranks over the terms in lex order: level 0 has one for every `fan` terms,
// each further level one for every `fan` of the level below, up to a level of `fan` at most.
#pragma once

#include <cstdint>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

inline std::vector<std::uint64_t> level_sizes(std::uint64_t terms) {
    std::vector<std::uint64_t> sizes;
    for (std::uint64_t size = terms; size > fan;) {
        size = (size + fan - 1) / fan;
        sizes.push_back(size);
    }
    return sizes;
}

inline std::uint64_t level_bytes(std::uint64_t terms, unsigned width) {
    std::uint64_t bytes = 0;
    for (const std::uint64_t size : level_sizes(terms)) bytes += packed_bytes(size, width);
    return bytes;
}

inline std::vector<Packed> levels_at(const unsigned char* bytes, std::uint64_t terms, unsigned width) {
    std::vector<Packed> levels;
    for (const std::uint64_t size : level_sizes(terms)) {
        levels.emplace_back(bytes, size, width);
        bytes += packed_bytes(size, width);
    }
    return levels;
}

}  // namespace pyfastlm::term_index
