// Reads terms that lie anywhere in a file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/term_index/map.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::term_index {

constexpr std::size_t terms_ahead = 32;

// Calls `take` with (Ranked, key) for `count` ranks, at most `terms_ahead`, until it returns false. Where
// they lie in memory is known for all before the first of them is read. Returns what the last call did.
template <class Take>
bool read_terms(const Map& map, const std::uint32_t* ranks, std::size_t count, const Take& take) {
    std::array<std::uint32_t, terms_ahead> lex{};
    for (std::size_t i = 0; i < count; ++i) map.prefetch_lex(ranks[i]);
    for (std::size_t i = 0; i < count; ++i) {
        lex[i] = map.lex(ranks[i]);
        map.prefetch_block(lex[i] / block_terms);
    }
    std::string key;
    for (std::size_t i = 0; i < count; ++i) {
        map.key(lex[i], key);
        if (!take(Ranked{ranks[i], lex[i]}, key)) return false;
    }
    return true;
}

}  // namespace pyfastlm::term_index
