#include "core/term_index/tree.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace pyfastlm::term_index {

Tree::Tree(const unsigned char* file, const TreeSections& sections) : sections_(sections) {
    const Header& header = *reinterpret_cast<const Header*>(file);
    const auto at = [&](Section section) { return file + header.parts[section].offset; };
    terms_ = static_cast<std::uint32_t>(header.*sections.terms);
    key_bytes_ = header.parts[sections.keys].bytes;
    node_count_ = header.*sections.node_count;
    list_count_ = sections.has_lists ? header.lists : 0;
    blocks_ = {at(sections.blocks), blocks_of(terms_) + 1, width_of(key_bytes_)};
    keys_ = at(sections.keys);
    nodes_ = reinterpret_cast<const Node*>(at(sections.nodes));
    labels_ = at(sections.labels);
}

void Tree::out_of_range(Section section) {
    throw Damaged("section " + std::string(section_names[section]) + " names what is not there");
}

Entries Tree::block(std::uint32_t number) const {
    const std::uint64_t first = blocks_[number], last = blocks_[number + 1];
    if (first > last || last > key_bytes_) out_of_range(sections_.blocks);
    return {keys_ + first, keys_ + last};
}

void Tree::key(std::uint32_t lex, std::string& to) const {
    Entries entries = block(lex / block_terms);
    std::array<Entry, block_terms> read;
    std::uint32_t last = lex % block_terms;
    for (std::uint32_t i = 0; i <= last; ++i) read[i] = entries.next();
    // From the end on, each byte comes from the last entry that has it.
    std::size_t end = read[last].shared + read[last].length;
    to.resize(end);
    for (std::uint32_t i = last + 1; i-- > 0;) {
        const Entry& entry = read[i];
        if (entry.shared >= end) continue;
        std::memcpy(to.data() + entry.shared, entry.suffix, end - entry.shared);
        end = entry.shared;
    }
}

Inner Tree::node(std::uint32_t number) const {
    const Node& node = nodes_[number];
    const std::uint32_t end = nodes_[number + 1].children;
    if (node.lo > node.hi || node.hi > terms_ || node.children > end || end > node_count_ ||
        node.children <= number || (node.list != no_list && node.list >= list_count_))
        out_of_range(sections_.nodes);
    return {node, end - node.children};
}

std::uint32_t Tree::child(const Inner& parent, unsigned char label, Range& gap) const {
    const unsigned char* const first = labels_ + parent.children;
    if (const void* const found = std::memchr(first, label, parent.count))
        return parent.children + static_cast<std::uint32_t>(static_cast<const unsigned char*>(found) - first);
    gap = {0, 0};
    if ((parent.light >> label % 64 & 1) == 0) return no_node;
    const auto before =
        static_cast<std::uint32_t>(std::lower_bound(first, first + parent.count, label) - first);
    gap = {before == 0 ? parent.lo : nodes_[parent.children + before - 1].hi,
           before == parent.count ? parent.hi : nodes_[parent.children + before].lo};
    if (gap.lo < parent.lo || gap.lo > gap.hi || gap.hi > parent.hi) out_of_range(sections_.nodes);
    return no_node;
}

}  // namespace pyfastlm::term_index
