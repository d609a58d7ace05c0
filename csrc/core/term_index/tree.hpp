// Keys in the order of their bytes, front coded in blocks, with the tree of those prefixes that many of them
// share: the terms of an index, or their words. A number in it that points nowhere throws Damaged.
#pragma once

#include <cstdint>
#include <string>

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

class Tree {
  public:
    Tree() = default;
    // `file`: where the file begins; its sections must have been checked.
    Tree(const unsigned char* file, const TreeSections& sections);

    [[nodiscard]] std::uint32_t terms() const { return terms_; }
    [[nodiscard]] Range all() const { return {0, terms_}; }

    // The bytes of one term.
    void key(std::uint32_t lex, std::string& to) const;
    [[nodiscard]] Entries block(std::uint32_t number) const;
    void prefetch_block(std::uint32_t number) const { __builtin_prefetch(keys_ + blocks_[number]); }

    [[nodiscard]] Inner node(std::uint32_t number) const;
    void prefetch_node(std::uint32_t number) const { __builtin_prefetch(nodes_ + number); }
    // The child of `parent` with this label, or no_node. `gap` becomes the range of the terms that have the
    // label next but no node, and of some around them.
    std::uint32_t child(const Inner& parent, unsigned char label, Range& gap) const;
    [[nodiscard]] unsigned char label(std::uint32_t node) const { return labels_[node]; }

  protected:
    static std::uint32_t checked(std::uint64_t value, std::uint64_t below, Section section) {
        if (value >= below) [[unlikely]]
            out_of_range(section);
        return static_cast<std::uint32_t>(value);
    }
    [[noreturn]] static void out_of_range(Section section);

  private:
    TreeSections sections_ = term_sections;
    std::uint32_t terms_ = 0;
    std::uint64_t key_bytes_ = 0, node_count_ = 0, list_count_ = 0;
    Packed blocks_;
    const unsigned char* keys_ = nullptr;
    const Node* nodes_ = nullptr;
    const unsigned char* labels_ = nullptr;
};

// All keys of a tree in the order of their bytes.
class Terms {
  public:
    explicit Terms(const Tree& tree) : tree_(tree) {}

    bool next() {
        if (count_ == tree_.terms()) return false;
        if (count_ % block_terms == 0) entries_ = tree_.block(count_ / block_terms);
        const Entry entry = entries_.next();
        key_.resize(entry.shared);
        key_.append(reinterpret_cast<const char*>(entry.suffix), entry.length);
        ++count_;
        return true;
    }
    [[nodiscard]] std::uint32_t lex() const { return count_ - 1; }
    [[nodiscard]] const std::string& key() const { return key_; }

  private:
    const Tree& tree_;
    Entries entries_{nullptr, nullptr};
    std::uint32_t count_ = 0;
    std::string key_;
};

}  // namespace pyfastlm::term_index
