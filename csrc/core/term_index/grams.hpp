// What a text is found by that resembles it: its trigrams, and what is left of it after deletions. Both are
// only hashed; texts that meet by chance are told apart when they are compared.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

using CodePoints = std::vector<std::uint32_t>;

constexpr std::uint32_t short_code_points = 8;  // texts up to here are found by rests, too
constexpr std::uint32_t most_deleted = 2;

inline std::uint64_t mixed(std::uint64_t hash, std::uint64_t next) {
    hash = (hash ^ next) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
}

// How many bits of a hash choose its bucket: of trigrams in a section of so many texts,
inline unsigned gram_bits(std::uint64_t texts) {
    return std::clamp(static_cast<unsigned>(std::bit_width(texts)), 8u, 15u);
}
// and of rests where so many texts have any, each up to 37.
inline unsigned rest_bits(std::uint64_t short_texts) {
    return std::clamp(static_cast<unsigned>(std::bit_width(short_texts)) + 4, 8u, 30u);
}
inline std::uint32_t bucket(std::uint64_t hash, unsigned bits) {
    return static_cast<std::uint32_t>(hash * 0xff51afd7ed558ccd >> (64 - bits));
}
// The different buckets of some hashes, rising: in each of them a text is listed once.
inline void buckets_of(const std::vector<std::uint64_t>& hashes, unsigned bits,
                       std::vector<std::uint32_t>& found) {
    found.clear();
    for (const std::uint64_t hash : hashes) found.push_back(bucket(hash, bits));
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
}

// The different trigrams of a text that has a mark before it and one behind, in the order of their hashes.
inline void grams_of(const CodePoints& text, std::vector<std::uint64_t>& found) {
    constexpr std::uint64_t edge = 0x3fffff;
    found.clear();
    if (text.empty()) return;
    std::uint64_t a = edge, b = text[0];
    for (std::size_t i = 1; i <= text.size(); ++i) {
        const std::uint64_t c = i < text.size() ? text[i] : edge;
        found.push_back(mixed(mixed(mixed(0, a), b), c));
        a = b, b = c;
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
}

// What is left of a text after `most_deleted` deletions or fewer, never nothing; each once. Texts within so
// many edits of each other that share a code point have one in common.
inline void rests_of(const CodePoints& text, std::vector<std::uint64_t>& found) {
    found.clear();
    const std::size_t size = text.size();
    const auto add = [&](std::size_t without, std::size_t nor) {
        std::uint64_t hash = 0;
        for (std::size_t i = 0; i < size; ++i)
            if (i != without && i != nor) hash = mixed(hash, text[i] + 1);
        found.push_back(hash);
    };
    if (size > 0) add(size, size);
    for (std::size_t i = 0; i < size && size > 1; ++i) add(i, size);
    for (std::size_t i = 0; i < size && size > 2; ++i)
        for (std::size_t j = i + 1; j < size; ++j) add(i, j);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
}

}  // namespace pyfastlm::term_index
