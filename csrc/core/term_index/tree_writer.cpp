#include "core/term_index/tree_writer.hpp"

#include <algorithm>

#include "core/term_index/packing.hpp"

namespace pyfastlm::term_index {

TreeWriter::TreeWriter(Output& out, const TreeSections& sections) : out_(out), sections_(sections) {
    out_.begin(sections_.keys);
}

void TreeWriter::push(std::string_view key) {
    const auto both = std::mismatch(key.begin(), key.end(), last_.begin(), last_.end());
    const auto shared = static_cast<std::size_t>(both.first - key.begin());
    close_prefixes(shared);
    open_.resize(key.size() + 1, {size_, {}});

    if (block_.full()) end_block();
    const std::size_t coded = block_.empty() ? 0 : shared;
    block_.add(coded, key.substr(coded));
    longest_ = std::max<std::uint64_t>(longest_, key.size());
    last_ = key;
    ++size_;
}

void TreeWriter::end_block() {
    block_starts_.push_back(key_bytes_);
    encoded_.clear();
    block_.finish(encoded_);
    out_.write(encoded_);
    key_bytes_ += encoded_.size();
}

// Those prefixes of the last key that are longer than `down_to` have seen all of their terms.
void TreeWriter::close_prefixes(std::size_t down_to) {
    for (; open_.size() > down_to + 1; open_.pop_back()) {
        const std::size_t depth = open_.size() - 1;
        const Open& prefix = open_.back();
        const auto label = static_cast<unsigned char>(last_[depth - 1]);
        if (size_ - prefix.lo >= node_terms)
            found_.push_back({prefix.lo, size_, static_cast<std::uint32_t>(depth), label, prefix.light});
        else
            open_[depth - 1].light[label / 32 % 2] |= 1u << label % 32;
    }
}

void TreeWriter::finish() {
    close_prefixes(0);
    found_.push_back({0, size_, 0, 0, open_[0].light});
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
        return a.depth != b.depth ? a.depth < b.depth : a.lo < b.lo;
    });
    if (!block_.empty()) end_block();
    block_starts_.push_back(key_bytes_);
    out_.write(std::string(spare_bytes, '\0'));
    out_.begin(sections_.blocks);
    write_packed(out_, block_starts_, width_of(key_bytes_ + spare_bytes));
}

std::vector<Node> TreeWriter::nodes() const {
    std::vector<Node> tree;
    tree.reserve(found_.size());
    for (const Found& node : found_) tree.push_back({node.lo, node.hi, no_list, node.light});
    return tree;
}

std::vector<std::uint32_t> TreeWriter::children() const {
    std::vector<std::uint32_t> first;
    first.reserve(found_.size() + 1);
    std::size_t child = 1;  // depth by depth, children come in the order of their parents
    for (const Found& node : found_) {
        first.push_back(static_cast<std::uint32_t>(child));
        while (child < found_.size() && found_[child].depth == node.depth + 1 && found_[child].lo < node.hi)
            ++child;
    }
    first.push_back(static_cast<std::uint32_t>(child));
    return first;
}

void TreeWriter::write_nodes(const std::vector<Node>& nodes, const std::vector<std::uint32_t>& children) {
    out_.begin(sections_.nodes);
    out_.write(nodes.data(), nodes.size());
    out_.begin(sections_.children);
    out_.write(children.data(), children.size());
    out_.begin(sections_.labels);
    for (const Found& node : found_) out_.write(&node.label, 1);
}

}  // namespace pyfastlm::term_index
