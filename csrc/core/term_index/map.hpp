// An open file of a term index: checked once, then read in place. Whatever its bytes are, nothing outside of
// it is ever read: a number that points nowhere throws Damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/entry.hpp"
#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

// Lex numbers [lo, hi).
struct Range {
    std::uint32_t lo, hi;
    [[nodiscard]] std::uint32_t size() const { return hi - lo; }
};

constexpr std::uint32_t no_node = 0xffffffff;

struct Inner : Node {
    std::uint32_t count;  // of children
};

class Map {
  public:
    // `verify`: compare every checksum, which reads the whole file; without it only the header's.
    // `in_memory`: read a copy instead of mapping the file, which must not shrink while it is mapped. Throws
    // Damaged, and std::system_error.
    Map(const std::string& path, bool verify, bool in_memory);
    ~Map();
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;

    [[nodiscard]] const Header& header() const { return *reinterpret_cast<const Header*>(bytes_); }
    [[nodiscard]] std::uint32_t terms() const { return terms_; }
    [[nodiscard]] Range all() const { return {0, terms_}; }

    [[nodiscard]] std::uint32_t rank(std::uint32_t lex) const {
        return checked(lex_to_rank_[lex], terms_, "lex_to_rank");
    }
    [[nodiscard]] std::uint32_t lex(std::uint32_t rank) const {
        return checked(rank_to_lex_[rank], terms_, "rank_to_lex");
    }
    [[nodiscard]] double score(std::uint32_t rank) const {
        const std::uint64_t set = steps_[rank / 64] & (~std::uint64_t{0} >> (63 - rank % 64));
        const auto place = step_counts_[rank / 64] + count_bits(set);
        return scores_[checked(place, header().distinct_scores, "step_counts")];
    }

    void prefetch_lex(std::uint32_t rank) const { rank_to_lex_.prefetch(rank); }

    // The bytes of one term.
    void key(std::uint32_t lex, std::string& to) const;
    [[nodiscard]] Entries block(std::uint32_t number) const;
    void prefetch_block(std::uint32_t number) const { __builtin_prefetch(at(keys) + blocks_[number]); }

    [[nodiscard]] Inner node(std::uint32_t number) const;
    void prefetch_node(std::uint32_t number) const { __builtin_prefetch(nodes_ + number); }
    // The child of `parent` with this label, or no_node. `gap` becomes the range of the terms that have the
    // label next but no node, and of some around them.
    std::uint32_t child(const Inner& parent, unsigned char label, Range& gap) const;
    [[nodiscard]] unsigned char label(std::uint32_t node) const { return labels_[node]; }
    // The first `count` (at most `listed`) ranks of a list.
    void list(std::uint32_t number, std::uint32_t count, std::uint32_t* ranks) const;

    [[nodiscard]] const std::vector<Packed>& levels() const { return levels_; }

  private:
    void check_header(std::uint64_t file_bytes) const;
    void check_parts(bool verify) const;
    [[nodiscard]] const unsigned char* at(Section section) const {
        return bytes_ + header().parts[section].offset;
    }
    static std::uint32_t checked(std::uint64_t value, std::uint64_t below, const char* section) {
        if (value >= below) [[unlikely]]
            out_of_range(section);
        return static_cast<std::uint32_t>(value);
    }
    [[noreturn]] static void out_of_range(const char* section);

    const unsigned char* bytes_ = nullptr;
    std::uint64_t mapped_ = 0;               // bytes to unmap
    std::unique_ptr<unsigned char[]> copy_;  // instead of a mapping
    std::uint32_t terms_ = 0;
    Packed blocks_, lex_to_rank_, rank_to_lex_, lists_;
    std::vector<Packed> levels_;
    const Node* nodes_ = nullptr;
    const unsigned char* labels_ = nullptr;
    const std::uint64_t* steps_ = nullptr;
    const std::uint32_t* step_counts_ = nullptr;
    const double* scores_ = nullptr;
};

// All terms of a map in the order of their bytes.
class Terms {
  public:
    explicit Terms(const Map& map) : map_(map) {}

    bool next() {
        if (count_ == map_.terms()) return false;
        if (count_ % block_terms == 0) entries_ = map_.block(count_ / block_terms);
        const Entry entry = entries_.next();
        key_.resize(entry.shared);
        key_.append(reinterpret_cast<const char*>(entry.suffix), entry.length);
        ++count_;
        return true;
    }
    [[nodiscard]] std::uint32_t lex() const { return count_ - 1; }
    [[nodiscard]] const std::string& key() const { return key_; }

  private:
    const Map& map_;
    Entries entries_{nullptr, nullptr};
    std::uint32_t count_ = 0;
    std::string key_;
};

}  // namespace pyfastlm::term_index
