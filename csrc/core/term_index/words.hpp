// The words of those terms that have a space, and for each the ranks of the terms that have it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/tree.hpp"

namespace pyfastlm::term_index {

// Calls `see` for each word of a text: what lies between spaces and is not empty.
template <class See>
void for_words(std::string_view text, const See& see) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) see(text.substr(at, end - at));
        at = end + 1;
    }
}

// The ranks of the terms that have one word, rising.
class Postings {
  public:
    Postings(std::uint32_t best, const unsigned char* at, const unsigned char* end, std::uint32_t terms)
        : rank_(best), terms_(terms), at_(at), end_(end) {}

    [[nodiscard]] std::uint32_t rank() const { return rank_; }
    // Bytes still to be read.
    [[nodiscard]] std::uint64_t left() const { return static_cast<std::uint64_t>(end_ - at_); }

    [[nodiscard]] bool done() const { return done_; }

    // Goes on to the next one, if there is one; else it is done, and returns false.
    bool next() {
        if (at_ == end_) {
            done_ = true;
            return false;
        }
        std::uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (at_ == end_ || shift > 28) refuse();
            const unsigned char byte = *at_++;
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) break;
        }
        value += std::uint64_t{rank_} + 1;
        if (value >= terms_) refuse();
        rank_ = static_cast<std::uint32_t>(value);
        return true;
    }

    // Goes on to a rank or the next one after it. Whether it is there.
    bool has(std::uint32_t rank) {
        while (!done_ && rank_ < rank) next();
        return !done_ && rank_ == rank;
    }

  private:
    [[noreturn]] static void refuse() { throw Damaged("section postings names what is not there"); }

    std::uint32_t rank_, terms_;
    const unsigned char *at_, *end_;
    bool done_ = false;
};

class Words : public Tree {
  public:
    Words() = default;
    // `file`: where the file begins; its sections must have been checked.
    explicit Words(const unsigned char* file);

    [[nodiscard]] Postings postings(std::uint32_t word) const;
    // The best rank of the terms that have a word.
    [[nodiscard]] std::uint32_t best(std::uint32_t word) const;
    // How many postings some words have, or a few times as many: the bytes to be read for all of them.
    [[nodiscard]] std::uint64_t work(Range words) const;

    // The best rank of each word, then the least of every `fan` of those, and so on.
    [[nodiscard]] const std::vector<Packed>& levels() const { return levels_; }

  private:
    [[nodiscard]] std::uint64_t start(std::uint32_t word) const;

    std::uint32_t ranks_ = 0;
    std::vector<Packed> levels_;
    Packed starts_;
    const unsigned char* postings_ = nullptr;
    std::uint64_t posting_bytes_ = 0;
};

}  // namespace pyfastlm::term_index
