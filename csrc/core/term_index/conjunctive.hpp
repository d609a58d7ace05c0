// Which terms have all words of a query, in any order, and which of them are best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/term_index/map.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::term_index {

// The words of a query: all are whole but the last one, where no space follows it.
class Asked {
  public:
    explicit Asked(std::string_view text);

    // The whole ones, in the order of their bytes; some may be equal.
    [[nodiscard]] const std::vector<std::string_view>& words() const { return words_; }
    // The different ones of them.
    [[nodiscard]] const std::vector<std::string_view>& whole() const { return whole_; }
    // What a further word must begin with; empty where there need be none.
    [[nodiscard]] std::string_view partial() const { return partial_; }
    [[nodiscard]] bool nothing() const { return words_.empty() && partial_.empty(); }

    // Whether one of the whole words begins with the partial one, so that all terms that have it have such a
    // word.
    [[nodiscard]] bool partial_begins_whole() const;

    // Whether a term has each whole word, as often as the query, and a further word for the partial one.
    bool answers(std::string_view term);

  private:
    std::vector<std::string_view> words_, whole_;
    std::vector<std::uint32_t> times_, missing_;  // of each; `missing_` while a term is read
    std::size_t least_bytes_ = 0;
    std::string_view partial_;
};

// The best `k` terms that answer and whose lex numbers are not in `hidden`, the best one first. `asked` must
// ask for something. `budget`: bytes of postings that may be read; a term that was read and does not answer
// counts as `term_work` of them or more. What was read is taken off. Returns false where it was not enough:
// `terms` may then lack some.
bool best_with_words(const Map& map, Asked& asked, std::size_t k,
                     const std::unordered_set<std::uint32_t>& hidden, std::uint64_t& budget,
                     std::vector<Ranked>& terms);

constexpr std::uint64_t term_work = 96, near_work = 256;

}  // namespace pyfastlm::term_index
