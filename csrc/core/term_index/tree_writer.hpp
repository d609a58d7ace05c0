// Writes a tree of keys (tree.hpp): those of a file's terms, or of their words.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/entry.hpp"
#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"

namespace pyfastlm::term_index {

class TreeWriter {
  public:
    // Begins the section of keys; no other may begin before `finish`.
    TreeWriter(Output& out, const TreeSections& sections);

    // Keys must rise strictly.
    void push(std::string_view key);
    [[nodiscard]] const std::string& last() const { return last_; }
    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] std::uint64_t longest() const { return longest_; }

    // There are no more keys. Writes the section of blocks.
    void finish();
    // After `finish`: without lists.
    [[nodiscard]] std::vector<Node> nodes() const;
    // The first child of each node, and where those of the last one end.
    [[nodiscard]] std::vector<std::uint32_t> children() const;
    // Writes the sections of nodes, their children and labels.
    void write_nodes(const std::vector<Node>& nodes, const std::vector<std::uint32_t>& children);

  private:
    struct Found {
        std::uint32_t lo, hi, depth;
        unsigned char label;
        std::array<std::uint32_t, 2> light;
    };
    // Of each prefix of the last key, "" first: the first term that has it, and its Node::light so far.
    struct Open {
        std::uint32_t lo;
        std::array<std::uint32_t, 2> light;
    };

    void end_block();
    void close_prefixes(std::size_t down_to);

    Output& out_;
    TreeSections sections_;
    std::uint32_t size_ = 0;
    std::string last_, encoded_;
    BlockWriter block_;
    std::uint64_t longest_ = 0, key_bytes_ = 0;
    std::vector<std::uint64_t> block_starts_;
    std::vector<Open> open_{{0, {}}};
    std::vector<Found> found_;
};

}  // namespace pyfastlm::term_index
