// What a text may have meant, from a catalogue and from a dictionary of the language beside it.
// pyfastlm/spelling/candidates/options.py says the same.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/term_index/index.hpp"

namespace pyfastlm::spelling {

using term_index::Index;
using term_index::Resembling;

// How many similar terms are asked for, and how many of both together are kept.
struct Counts {
    std::size_t asked, kept;
};

// What both have for one text.
struct Found {
    std::vector<Resembling> catalogue, english;
    bool catalogued;  // the catalogue has it, as a name or a word of one
    bool known;       // or the dictionary has it
};

class Lexicon {
  public:
    // `english` may be null. All must outlive it. `is_digit` tells of a code point.
    Lexicon(const Index& catalogue, const Index* english, const term_index::EditCosts& costs,
            const term_index::Weights& weights, Counts counts, bool (*is_digit)(std::uint32_t))
        : catalogue_(catalogue), english_(english), costs_(costs), weights_(weights), counts_(counts),
          is_digit_(is_digit) {}

    // `of_english`: the same texts in the normal form of the dictionary.
    [[nodiscard]] std::vector<Found> find(const std::vector<std::string_view>& texts,
                                          const std::vector<std::string_view>& of_english, int threads) const;

    // What a text may have meant, best fit first, without itself. `as_word`: no pairs of words. Another
    // number is another thing: options have the same digits.
    [[nodiscard]] std::vector<Resembling> options(std::string_view text, bool as_word,
                                                  const Found& found) const;

  private:
    [[nodiscard]] bool catalogued(std::string_view text, const std::vector<Resembling>& similar) const;
    [[nodiscard]] std::vector<std::uint32_t> digits(std::string_view text) const;

    const Index& catalogue_;
    const Index* english_;
    const term_index::EditCosts& costs_;
    term_index::Weights weights_;
    Counts counts_;
    bool (*is_digit_)(std::uint32_t);
};

}  // namespace pyfastlm::spelling
