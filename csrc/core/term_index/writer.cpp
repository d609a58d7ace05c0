#include "core/term_index/writer.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "core/term_index/bits.hpp"
#include "core/term_index/entry.hpp"
#include "core/term_index/least.hpp"
#include "core/term_index/minima.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::size_t chunk = std::size_t{1} << 20;

template <class Numbers>
void write_packed(Output& out, const Numbers& numbers, unsigned width) {
    Packer packer(width);
    for (const auto number : numbers) {
        packer.push(number);
        if (packer.bytes().size() < chunk) continue;
        out.write(packer.bytes());
        packer.bytes().clear();
    }
    packer.finish();
    out.write(packer.bytes());
}

}  // namespace

Writer::Writer(const std::string& path, std::uint32_t normalizer) : out_(path), normalizer_(normalizer) {
    out_.begin(keys);
    open_.push_back({0, {}});
}

void Writer::push(std::string_view key, double score) {
    if (score_of_.size() == most_terms) throw std::invalid_argument("more than 2,147,483,647 terms");
    if (key.size() > longest_key) throw std::invalid_argument("a term of more than 134,217,727 bytes");
    if (!std::isfinite(score)) throw std::invalid_argument("a score that is not finite");
    if (!score_of_.empty() && key <= last_) throw std::invalid_argument("terms that do not rise");

    const auto both = std::mismatch(key.begin(), key.end(), last_.begin(), last_.end());
    const auto shared = static_cast<std::size_t>(both.first - key.begin());
    close_prefixes(shared);
    const auto lex = static_cast<std::uint32_t>(score_of_.size());
    open_.resize(key.size() + 1, {lex, {}});

    if (block_.full()) end_block();
    const std::size_t coded = block_.empty() ? 0 : shared;
    block_.add(coded, key.substr(coded));
    longest_ = std::max<std::uint64_t>(longest_, key.size());
    last_ = key;
    score_of_.push_back(score == 0.0 ? 0.0 : score);  // -0.0 becomes 0.0, equal to it
}

void Writer::end_block() {
    block_starts_.push_back(key_bytes_);
    encoded_.clear();
    block_.finish(encoded_);
    out_.write(encoded_);
    key_bytes_ += encoded_.size();
}

// Those prefixes of the last key that are longer than `down_to` have seen all of their terms.
void Writer::close_prefixes(std::size_t down_to) {
    const auto end = static_cast<std::uint32_t>(score_of_.size());
    for (; open_.size() > down_to + 1; open_.pop_back()) {
        const std::size_t depth = open_.size() - 1;
        const Open& prefix = open_.back();
        const auto label = static_cast<unsigned char>(last_[depth - 1]);
        if (end - prefix.lo >= node_terms)
            found_.push_back({prefix.lo, end, static_cast<std::uint32_t>(depth), label, prefix.light});
        else
            open_[depth - 1].light[label / 32 % 2] |= 1u << label % 32;
    }
}

void Writer::finish() {
    close_prefixes(0);
    found_.push_back({0, static_cast<std::uint32_t>(score_of_.size()), 0, 0, open_[0].light});
    if (!block_.empty()) end_block();
    block_starts_.push_back(key_bytes_);
    out_.write(std::string(spare_bytes, '\0'));

    out_.begin(blocks);
    write_packed(out_, block_starts_, width_of(key_bytes_ + spare_bytes));
    write_ranks();

    Header header{};
    header.terms = score_of_.size();
    header.nodes = found_.size();
    header.lists = lists_;
    header.distinct_scores = distinct_scores_;
    header.longest_key = longest_;
    header.normalizer = normalizer_;
    out_.finish(header);
}

void Writer::write_ranks() {
    const std::size_t terms = score_of_.size();
    std::vector<std::uint32_t> order(terms);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [this](std::uint32_t a, std::uint32_t b) { return score_of_[a] > score_of_[b]; });
    std::vector<std::uint32_t> ranks(terms);
    for (std::uint32_t rank = 0; rank < terms; ++rank) ranks[order[rank]] = rank;

    const unsigned width = width_of(terms);
    out_.begin(lex_to_rank);
    write_packed(out_, ranks, width);
    out_.begin(rank_to_lex);
    write_packed(out_, order, width);
    out_.begin(minima);
    std::vector<std::uint32_t> below = ranks;
    for (const std::uint64_t size : level_sizes(terms)) {
        std::vector<std::uint32_t> level(size);
        for (std::size_t i = 0; i < size; ++i) {
            const auto first = below.begin() + static_cast<std::ptrdiff_t>(i * fan);
            const auto last =
                below.begin() + static_cast<std::ptrdiff_t>(std::min((i + 1) * fan, below.size()));
            level[i] = *std::min_element(first, last);
        }
        write_packed(out_, level, width);
        below = std::move(level);
    }
    write_nodes(ranks);
    write_scores(order);
}

void Writer::write_nodes(const std::vector<std::uint32_t>& ranks) {
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
        return a.depth != b.depth ? a.depth < b.depth : a.lo < b.lo;
    });
    std::vector<Node> tree(found_.size());
    std::vector<std::uint32_t> first_child;
    lists_ = 0;
    std::size_t child = 1;  // depth by depth, children come in the order of their parents
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const Found& node = found_[i];
        const std::size_t first = child;
        while (child < found_.size() && found_[child].depth == node.depth + 1 && found_[child].lo < node.hi)
            ++child;
        const bool has_list = node.hi - node.lo >= list_terms || i == 0;
        tree[i] = {node.lo, node.hi, has_list ? lists_++ : no_list, node.light};
        first_child.push_back(static_cast<std::uint32_t>(first));
    }
    const auto count = static_cast<std::uint32_t>(tree.size());
    first_child.push_back(count);

    std::vector<Least<std::uint32_t>> best(count);
    for (std::size_t i = count; i-- > 0;) {
        const Node& node = tree[i];
        std::uint32_t lex = node.lo;
        const auto light_until = [&](std::uint32_t end) {
            for (; lex < end; ++lex) best[i].offer(ranks[lex]);
        };
        for (std::uint32_t c = first_child[i]; c < first_child[i + 1]; ++c) {
            light_until(tree[c].lo);
            for (const std::uint32_t rank : best[c]) best[i].offer(rank);
            lex = tree[c].hi;
        }
        light_until(node.hi);
    }

    out_.begin(nodes);
    out_.write(tree.data(), tree.size());
    out_.begin(children);
    out_.write(first_child.data(), first_child.size());
    out_.begin(labels);
    for (const Found& node : found_) out_.write(&node.label, 1);
    out_.begin(lists);
    std::vector<std::uint32_t> all;
    all.reserve(std::size_t{lists_} * listed);
    for (std::size_t i = 0; i < count; ++i)
        if (tree[i].list != no_list) all.insert(all.end(), best[i].begin(), best[i].room_end());
    write_packed(out_, all, width_of(ranks.size()));
}

void Writer::write_scores(const std::vector<std::uint32_t>& order) {
    std::vector<std::uint64_t> bits((order.size() + 63) / 64);
    std::vector<std::uint32_t> counts(bits.size());
    std::vector<double> distinct;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        if (rank % 64 == 0)
            counts[rank / 64] = static_cast<std::uint32_t>(distinct.empty() ? 0 : distinct.size() - 1);
        const double score = score_of_[order[rank]];
        if (!distinct.empty() && score == distinct.back()) continue;
        if (!distinct.empty()) bits[rank / 64] |= std::uint64_t{1} << (rank % 64);
        distinct.push_back(score);
    }
    out_.begin(steps);
    out_.write(bits.data(), bits.size());
    out_.begin(step_counts);
    out_.write(counts.data(), counts.size());
    out_.begin(scores);
    out_.write(distinct.data(), distinct.size());
    distinct_scores_ = distinct.size();
}

}  // namespace pyfastlm::term_index
