// A first look at which terms have a word of some ranges.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/term_index/search.hpp"
#include "core/term_index/words.hpp"

namespace pyfastlm::term_index {

template <class See>
void for_postings(const Words& words, Range range, const See& see) {
    for (std::uint32_t word = range.lo; word < range.hi; ++word)
        for (Postings list = words.postings(word); !list.done(); list.next()) see(list.rank());
}

// Those terms, and some others: one bit for all ranks that are equal modulo a power of two.
class Marks {
  public:
    // `count` of the terms, or more.
    Marks(const Words& words, const Found* found, std::size_t finds, std::uint64_t count)
        : mask_(std::bit_ceil(16 * count + 64) - 1), bits_(mask_ / 64 + 1) {
        for (std::size_t i = 0; i < finds; ++i)
            for_postings(words, found[i].range, [this](std::uint32_t rank) {
                bits_[(rank & mask_) / 64] |= std::uint64_t{1} << rank % 64;
            });
    }
    [[nodiscard]] bool may_have(std::uint32_t rank) const {
        return (bits_[(rank & mask_) / 64] >> rank % 64 & 1) != 0;
    }

  private:
    std::uint64_t mask_;
    std::vector<std::uint64_t> bits_;
};

}  // namespace pyfastlm::term_index
