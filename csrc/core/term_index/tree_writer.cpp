#include "core/term_index/tree_writer.hpp"

#include <algorithm>

#include "core/term_index/entry.hpp"
#include "core/term_index/packing.hpp"

namespace pyfastlm::term_index {

TreeWriter::TreeWriter(Output& out, const TreeSections& sections) : out_(out), sections_(sections) {
    out_.begin(sections_.keys);
}

void TreeWriter::push(std::string_view key) {
    const auto both = std::mismatch(key.begin(), key.end(), last_.begin(), last_.end());
    const auto shared = static_cast<std::size_t>(both.first - key.begin());
    close_prefixes(shared);
    open_.resize(key.size() + 1, {size_, 0});

    const bool head = size_ % block_terms == 0;
    if (head) block_starts_.push_back(key_bytes_);
    encoded_.clear();
    append_entry(encoded_, head ? 0 : shared, key.substr(head ? 0 : shared));
    out_.write(encoded_);
    key_bytes_ += encoded_.size();
    longest_ = std::max<std::uint64_t>(longest_, key.size());
    last_ = key;
    ++size_;
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
            open_[depth - 1].light |= std::uint64_t{1} << label % 64;
    }
}

void TreeWriter::finish() {
    close_prefixes(0);
    found_.push_back({0, size_, 0, 0, open_[0].light});
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
        return a.depth != b.depth ? a.depth < b.depth : a.lo < b.lo;
    });
    block_starts_.push_back(key_bytes_);
    out_.begin(sections_.blocks);
    write_packed(out_, block_starts_, width_of(key_bytes_));
}

std::vector<Node> TreeWriter::nodes() const {
    std::vector<Node> tree;
    tree.reserve(found_.size() + 1);
    std::size_t child = 1;  // depth by depth, children come in the order of their parents
    for (const Found& node : found_) {
        tree.push_back({node.lo, node.hi, static_cast<std::uint32_t>(child), no_list, node.light});
        while (child < found_.size() && found_[child].depth == node.depth + 1 && found_[child].lo < node.hi)
            ++child;
    }
    tree.push_back({0, 0, static_cast<std::uint32_t>(child), no_list, 0});
    return tree;
}

void TreeWriter::write_nodes(const std::vector<Node>& nodes) {
    out_.begin(sections_.nodes);
    out_.write(nodes.data(), nodes.size());
    out_.begin(sections_.labels);
    for (const Found& node : found_) out_.write(&node.label, 1);
}

}  // namespace pyfastlm::term_index
