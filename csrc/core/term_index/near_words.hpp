// Conjunctive search with edits: every word of a query may stand for one near it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/term_index/conjunctive.hpp"
#include "core/term_index/edits.hpp"
#include "core/term_index/map.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::term_index {

// How many edits there are between the words of a query and those of a term: the least sum over all ways to
// give each word of the query one of the term for itself. The partial word counts as its distance to the
// best beginning of a word.
class NearWords {
  public:
    // Sums of more than `most` edits, 1 or 2, are not told apart. `fix_first`: words that begin with other
    // code points are never near.
    NearWords(const Asked& asked, int most, bool fix_first);

    // The least sum, or most + 1. Counts the steps off `work`, and gives up where none is left.
    int edits_to(std::string_view term, std::uint64_t& work);

  private:
    struct Word {
        std::string_view text;
        bool partial;
        std::uint32_t first;  // code point
        Edits<1> one;
        Edits<2> two;
    };
    static constexpr std::uint8_t unknown = 0xff;

    [[nodiscard]] int distance(const Word& word, std::string_view other) const;
    int known_distance(std::size_t word, std::size_t other);
    void assign(std::size_t word, int spent, std::uint64_t& work);

    std::vector<Word> words_;  // the partial one last
    int most_, best_ = 0;
    bool fix_first_;
    // While a term is read: its different words, how many of each are not given away, and distances.
    std::vector<std::string_view> others_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint8_t> distances_;  // [words, others]
};

// The best `k` terms that are `edits` edits from the query, no fewer and no more, as best_with_words.
bool near_with_words(const Map& map, const Asked& asked, NearWords& near, int edits, bool fix_first,
                     std::size_t k, const std::unordered_set<std::uint32_t>& hidden, std::uint64_t& budget,
                     std::vector<Ranked>& terms);

}  // namespace pyfastlm::term_index
