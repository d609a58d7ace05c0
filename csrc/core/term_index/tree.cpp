#include "core/term_index/tree.hpp"

#include <algorithm>

namespace pyfastlm::term_index {

Tree::Tree(const unsigned char* file, const TreeSections& sections) : sections_(sections) {
    const Header& header = *reinterpret_cast<const Header*>(file);
    const auto at = [&](Section section) { return file + header.parts[section].offset; };
    terms_ = static_cast<std::uint32_t>(header.*sections.terms);
    key_bytes_ = header.parts[sections.keys].bytes - spare_bytes;
    node_count_ = static_cast<std::uint32_t>(header.*sections.node_count);
    list_count_ = sections.has_lists ? static_cast<std::uint32_t>(header.lists) : 0;
    blocks_ = {at(sections.blocks), blocks_of(terms_) + 1, width_of(header.parts[sections.keys].bytes)};
    keys_ = at(sections.keys);
    nodes_ = reinterpret_cast<const Node*>(at(sections.nodes));
    children_ = reinterpret_cast<const std::uint32_t*>(at(sections.children));
    labels_ = at(sections.labels);
    find_seconds();
}

void Tree::find_seconds() {
    rows_.fill(no_node);
    const Inner root = node(0);
    for (std::uint32_t first = root.children; first < root.children + root.count; ++first) {
        const Inner parent = node(first);
        const std::size_t row = seconds_.size();
        rows_[label(first)] = static_cast<std::uint32_t>(row);
        seconds_.resize(row + rows_.size(), no_node);
        for (std::uint32_t second = 0; second < parent.count; ++second)
            seconds_[row + label(parent.children + second)] = parent.children + second;
    }
}

void Tree::out_of_range(Section section) {
    throw Damaged("section " + std::string(section_names[section]) + " names what is not there");
}

void Tree::key(std::uint32_t lex, std::string& to) const {
    KeyBuffer buffer;
    to = key(lex, buffer);
}

Range Tree::gap(const Inner& parent, unsigned char label) const {
    if ((parent.light[label / 32 % 2] >> label % 32 & 1) == 0) return {0, 0};
    const unsigned char* const first = labels_ + parent.children;
    const auto before =
        static_cast<std::uint32_t>(std::lower_bound(first, first + parent.count, label) - first);
    const Range gap{before == 0 ? parent.lo : nodes_[parent.children + before - 1].hi,
                    before == parent.count ? parent.hi : nodes_[parent.children + before].lo};
    if (gap.lo < parent.lo || gap.lo > gap.hi || gap.hi > parent.hi) out_of_range(sections_.nodes);
    return gap;
}

}  // namespace pyfastlm::term_index
