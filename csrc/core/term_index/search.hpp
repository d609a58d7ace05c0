// Exact answers: which terms begin with a prefix, and which of them are best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/term_index/map.hpp"

namespace pyfastlm::term_index {

// Terms that begin with a prefix, and its list of the best of them, or no_list where they are few.
struct Found {
    Range range{0, 0};
    std::uint32_t list = no_list;
};

Found find(const Tree& map, std::string_view prefix);
Found find(const Map& map, std::string_view prefix);  // gets their ranks ready

// The same for many prefixes, `together` of them side by side, so that they wait for memory at the same time.
constexpr std::size_t together = 32;
void find(const Map& map, const std::string_view* prefixes, std::size_t count, Found* found);

// The terms of `gap` that begin with `prefix`. All of them must share its first `depth` bytes, and the term
// before them no more than those.
Range find_in(const Tree& map, Range gap, std::size_t depth, std::string_view prefix);

// The place of a term.
std::optional<std::uint32_t> place_of(const Tree& map, std::string_view key);

// A term by its rank; its lex number as well, where that is known.
struct Ranked {
    std::uint32_t rank, lex;
};
constexpr std::uint32_t unknown_lex = 0xffffffff;

// Takes the terms of some ranges, best first.
class BestFirst {
  public:
    // Finds must not overlap.
    BestFirst(const Map& map, const Found* found, std::size_t finds);

    // The next term, or false where none is left.
    bool next(Ranked& term);

  private:
    struct Item {
        std::uint32_t rank, place;  // `place` in its level; a term's is its lex number
        int level;                  // -1: a term
    };
    static bool worse(const Item& a, const Item& b) { return a.rank > b.rank; }

    void cover(Range range);
    [[nodiscard]] Item item(int level, std::uint64_t place) const;

    const Map& map_;
    std::vector<Item> heap_;
};

// The best `k` terms of some finds, which must not overlap, the best one first.
void best(const Map& map, const Found* found, std::size_t finds, std::size_t k, std::vector<Ranked>& terms);

}  // namespace pyfastlm::term_index
