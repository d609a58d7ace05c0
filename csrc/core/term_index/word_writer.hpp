// Writes the words of a file's terms (words.hpp). Memory: 12 bytes for each term that has a space and some 6
// for each of its words, besides each different word once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"
#include "core/term_index/texts.hpp"

namespace pyfastlm::term_index {

// Different strings, numbered in the order of their coming.
class Names {
  public:
    std::uint32_t number(std::string_view name);
    [[nodiscard]] std::uint32_t size() const { return texts_.size(); }
    [[nodiscard]] std::string_view operator[](std::uint32_t number) const { return texts_[number]; }

  private:
    void grow();

    Texts texts_;
    std::vector<std::uint32_t> slots_;  // a power of two of them, at most half of them taken
};

class WordWriter {
  public:
    // Terms must come in the order of their lex numbers. Throws std::invalid_argument.
    void push(std::uint32_t lex, std::string_view term);

    // Writes all sections of words; those for similar ones only where `similar`. `ranks` of the terms by
    // their lex numbers.
    void finish(Output& out, const std::vector<std::uint32_t>& ranks, bool similar);

    // After `finish`.
    [[nodiscard]] std::uint64_t words() const { return names_.size(); }
    [[nodiscard]] std::uint64_t nodes() const { return nodes_; }

  private:
    template <class See>
    void for_postings(const std::vector<std::uint32_t>& ranks, const See& see) const;

    Names names_;
    std::vector<std::uint32_t> terms_;  // lex numbers
    std::vector<std::uint32_t> ends_;   // where the words of each end in `said_`
    std::vector<std::uint32_t> said_;   // numbers of words, each once for a term
    std::uint64_t nodes_ = 0;
};

}  // namespace pyfastlm::term_index
