// Texts that resemble another: those that share a rest with it, which are all short ones within two edits
// that share a code point, and those that share many trigrams.
//
// Texts lie in the order of their lengths, so that those of other lengths are not even looked at. Their
// trigrams are counted group by group, with a counter of one byte for each text, which stay in the fastest
// cache.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/format.hpp"
#include "core/term_index/grams.hpp"
#include "core/term_index/unary.hpp"

namespace pyfastlm::term_index {

// How many edits there may be between a text of so many code points and one that resembles it.
inline int most_edits_for(std::size_t size) { return size < 7 ? 2 : 3 + static_cast<int>(size / 12); }

class Similar {
  public:
    struct Candidate {
        std::uint32_t text;
        int edits;
        std::uint32_t place;  // among the texts of its length
    };

    Similar() = default;  // nothing
    // `file`: where the file begins; its sections must have been checked, but for those of rests. Throws
    // Damaged.
    Similar(const unsigned char* file, const SimilarSections& sections);

    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] std::uint32_t owner(std::uint32_t text) const;
    [[nodiscard]] std::string_view text(std::uint32_t text) const;

    // At most `count` texts: those of fewer edits first, of as many those that are better for their length.
    [[nodiscard]] std::vector<Candidate> find(const CodePoints& query, std::size_t count) const;

  private:
    [[nodiscard]] std::vector<std::uint32_t> by_rests(const CodePoints& query) const;
    [[nodiscard]] std::vector<std::uint32_t> by_grams(const CodePoints& query) const;
    [[nodiscard]] std::vector<std::uint32_t> rarest(const std::vector<std::uint64_t>& hashes,
                                                    std::uint32_t first_group, std::uint32_t groups) const;
    // The first text of so many code points or more.
    [[nodiscard]] std::uint32_t first(std::uint32_t length) const;
    [[nodiscard]] std::uint32_t length(std::uint32_t text) const;
    [[nodiscard]] std::span<const std::uint16_t> postings(std::uint32_t group, std::uint32_t bucket) const;
    [[noreturn]] static void out_of_range(Section section);

    SimilarSections sections_ = similar_term_sections;
    std::uint32_t size_ = 0, owners_count_ = 0;
    const std::uint32_t* lengths_ = nullptr;
    Packed owners_, starts_;
    const char* texts_ = nullptr;
    const std::uint32_t* gram_starts_ = nullptr;
    const std::uint16_t* grams_ = nullptr;
    unsigned rest_bits_ = 0;
    Unary rest_counts_;
    Packed rests_;
    std::uint64_t text_bytes_ = 0, gram_count_ = 0;
};

}  // namespace pyfastlm::term_index
