// An open file of a term index: checked once, then read in place. Whatever its bytes are, nothing outside of
// it is ever read: a number that points nowhere throws Damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/format.hpp"
#include "core/term_index/similar.hpp"
#include "core/term_index/tree.hpp"
#include "core/term_index/words.hpp"

namespace pyfastlm::term_index {

class Map : public Tree {
  public:
    // `verify`: compare every checksum, which reads the whole file, on `threads` threads; without it only the
    // header's.
    // `in_memory`: read a copy instead of mapping the file, which must not shrink while it is mapped. Throws
    // Damaged, and std::system_error.
    Map(const std::string& path, bool verify, bool in_memory, int threads = 1);
    ~Map();
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;

    [[nodiscard]] const Header& header() const { return *reinterpret_cast<const Header*>(bytes_); }

    [[nodiscard]] std::uint32_t rank(std::uint32_t lex) const {
        return checked(lex_to_rank_[lex], terms(), lex_to_rank);
    }
    [[nodiscard]] std::uint32_t lex(std::uint32_t rank) const {
        return checked(rank_to_lex_[rank], terms(), rank_to_lex);
    }
    [[nodiscard]] double score(std::uint32_t rank) const {
        const std::uint64_t set = steps_[rank / 64] & (~std::uint64_t{0} >> (63 - rank % 64));
        const auto place = step_counts_[rank / 64] + count_bits(set);
        return scores_[checked(place, header().distinct_scores, step_counts)];
    }

    void prefetch_rank(std::uint32_t lex) const { lex_to_rank_.prefetch(lex); }
    void prefetch_score(std::uint32_t rank) const {
        __builtin_prefetch(steps_ + rank / 64);
        __builtin_prefetch(step_counts_ + rank / 64);
    }
    void prefetch_lex(std::uint32_t rank) const { rank_to_lex_.prefetch(rank); }

    // The first `count` (at most `listed`) ranks of a list.
    void list(std::uint32_t number, std::uint32_t count, std::uint32_t* ranks) const;

    void prefetch_list(std::uint32_t number) const {
        lists_.prefetch(std::uint64_t{number} * listed);
        lists_.prefetch(std::uint64_t{number} * listed + listed - 1);
    }

    [[nodiscard]] const std::vector<Packed>& levels() const { return levels_; }

    // Those of all terms that have a space.
    [[nodiscard]] const Words& words() const { return words_; }

    // Whether the file was built to be asked for what resembles a text. Without it, or without terms, these
    // have no texts: all terms, and those words.
    [[nodiscard]] bool similar() const { return header().similar != 0; }
    [[nodiscard]] const Similar& similar_terms() const { return similar_terms_; }
    [[nodiscard]] const Similar& similar_words() const { return similar_words_; }

  private:
    void check_header(std::uint64_t file_bytes) const;
    void check_parts() const;
    void check_sums(int threads) const;
    void attach();
    [[nodiscard]] const unsigned char* at(Section section) const {
        return bytes_ + header().parts[section].offset;
    }

    const unsigned char* bytes_ = nullptr;
    std::uint64_t mapped_ = 0;               // bytes to unmap
    std::unique_ptr<unsigned char[]> copy_;  // instead of a mapping
    Packed lex_to_rank_, rank_to_lex_, lists_;
    std::vector<Packed> levels_;
    const std::uint64_t* steps_ = nullptr;
    const std::uint32_t* step_counts_ = nullptr;
    const double* scores_ = nullptr;
    Words words_;
    Similar similar_terms_, similar_words_;
};

}  // namespace pyfastlm::term_index
