// Keys in the order of their bytes, front coded in blocks, with the tree of those prefixes that many of them
// share: the terms of an index, or their words. A number in it that points nowhere throws Damaged.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/entry.hpp"
#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

// Numbers [lo, hi), of terms in lex order where nothing else is said.
struct Range {
    std::uint32_t lo, hi;
    [[nodiscard]] std::uint32_t size() const { return hi - lo; }
};

constexpr std::uint32_t no_node = 0xffffffff;

struct Inner : Node {
    std::uint32_t children, count;
};

class Tree {
  public:
    Tree() = default;
    // `file`: where the file begins; its sections must have been checked.
    Tree(const unsigned char* file, const TreeSections& sections);

    [[nodiscard]] std::uint32_t terms() const { return terms_; }
    [[nodiscard]] Range all() const { return {0, terms_}; }

    // The bytes of one term.
    void key(std::uint32_t lex, std::string& to) const;
    // The same, and where it lies: in `buffer` until that is used again.
    std::string_view key(std::uint32_t lex, KeyBuffer& buffer) const {
        return block(lex / block_terms).key(lex % block_terms, buffer);
    }
    [[nodiscard]] Block block(std::uint32_t number) const {
        const auto [first, last] = place(number);
        return {first, last};
    }
    // The first key of a block.
    [[nodiscard]] std::string_view first_key(std::uint32_t number) const {
        const auto [first, last] = place(number);
        return Block::first(first, last);
    }
    void prefetch_block(std::uint32_t number) const {
        const unsigned char* const first = keys_ + blocks_[number];
        __builtin_prefetch(first);
        __builtin_prefetch(first + 64);
    }

    [[nodiscard]] Inner node(std::uint32_t number) const {
        const Node& node = nodes_[number];
        if (node.lo > node.hi || node.hi > terms_ || (node.list != no_list && node.list >= list_count_))
            [[unlikely]]
            out_of_range(sections_.nodes);
        const auto [first, end] = children_of(number);
        return {node, first, end - first};
    }
    void prefetch_node(std::uint32_t number) const { __builtin_prefetch(nodes_ + number); }
    // The child of a node with this label, or no_node.
    [[nodiscard]] std::uint32_t child(std::uint32_t node, unsigned char label) const {
        const Range among = children_of(node);
        // Eight labels at once; more can be read than there are, for other sections follow.
        constexpr std::uint64_t ones = 0x0101010101010101;
        for (std::uint32_t i = among.lo; i < among.hi; i += 8) {
            std::uint64_t labels;
            std::memcpy(&labels, labels_ + i, sizeof labels);
            const std::uint64_t differ = labels ^ label * ones;
            const std::uint64_t equal = (differ - ones) & ~differ & 0x80 * ones;
            if (equal == 0) continue;
            const auto found = i + static_cast<std::uint32_t>(std::countr_zero(equal)) / 8;
            return found < among.hi ? found : no_node;
        }
        return no_node;
    }
    // A node on the way of a prefix, and its depth: where to begin.
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> first_node(std::string_view prefix) const {
        if (prefix.size() < 2) return {0, 0};
        const std::uint32_t row = rows_[static_cast<unsigned char>(prefix[0])];
        if (row == no_node) return {0, 0};
        const std::uint32_t node = seconds_[row + static_cast<unsigned char>(prefix[1])];
        return node == no_node ? std::pair{0u, 0u} : std::pair{node, 2u};
    }
    // Where there is no such child: the range of the terms that have the label next, and of some around them.
    [[nodiscard]] Range gap(const Inner& parent, unsigned char label) const;
    [[nodiscard]] unsigned char label(std::uint32_t node) const { return labels_[node]; }

  protected:
    static std::uint32_t checked(std::uint64_t value, std::uint64_t below, Section section) {
        if (value >= below) [[unlikely]]
            out_of_range(section);
        return static_cast<std::uint32_t>(value);
    }
    [[noreturn]] static void out_of_range(Section section);

  private:
    void find_seconds();
    [[nodiscard]] Range children_of(std::uint32_t node) const {
        const Range found{children_[node], children_[node + 1]};
        if (found.lo <= node || found.lo > found.hi || found.hi > node_count_) [[unlikely]]
            out_of_range(sections_.children);
        return found;
    }
    [[nodiscard]] std::pair<const unsigned char*, const unsigned char*> place(std::uint32_t number) const {
        const std::uint64_t first = blocks_[number], last = blocks_[number + 1];
        if (first > last || last > key_bytes_) [[unlikely]]
            out_of_range(sections_.blocks);
        return {keys_ + first, keys_ + last};
    }

    TreeSections sections_ = term_sections;
    std::uint32_t terms_ = 0, node_count_ = 0, list_count_ = 0;
    std::uint64_t key_bytes_ = 0;
    Packed blocks_;
    const unsigned char* keys_ = nullptr;
    const Node* nodes_ = nullptr;
    const std::uint32_t* children_ = nullptr;
    const unsigned char* labels_ = nullptr;
    // The nodes of two bytes, by those: a row of 256 for each node of one byte, and where that begins.
    std::array<std::uint32_t, 256> rows_{};
    std::vector<std::uint32_t> seconds_;
};

// All keys of a tree in the order of their bytes.
class Terms {
  public:
    explicit Terms(const Tree& tree) : tree_(tree) {}

    bool next() {
        if (count_ == tree_.terms()) return false;
        const std::uint32_t place = count_ % block_terms;
        if (place == 0) block_.emplace(tree_.block(count_ / block_terms));
        const Entry entry = (*block_)[place];
        key_.resize(entry.shared);
        key_.append(reinterpret_cast<const char*>(entry.suffix), entry.length);
        ++count_;
        return true;
    }
    [[nodiscard]] std::uint32_t lex() const { return count_ - 1; }
    [[nodiscard]] const std::string& key() const { return key_; }

  private:
    const Tree& tree_;
    std::optional<Block> block_;
    std::uint32_t count_ = 0;
    std::string key_;
};

}  // namespace pyfastlm::term_index
