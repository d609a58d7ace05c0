#include "core/term_index/writer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "core/term_index/least.hpp"
#include "core/term_index/packing.hpp"
#include "core/term_index/similar_writer.hpp"

namespace pyfastlm::term_index {

Writer::Writer(const std::string& path, std::uint32_t normalizer, bool similar)
    : out_(path), normalizer_(normalizer), tree_(out_, term_sections), similar_(similar) {}

void Writer::push(std::string_view key, double score) {
    if (score_of_.size() == most_terms) throw std::invalid_argument("more than 2,147,483,647 terms");
    if (key.size() > longest_key) throw std::invalid_argument("a term of more than 134,217,727 bytes");
    if (!std::isfinite(score)) throw std::invalid_argument("a score that is not finite");
    if (!score_of_.empty() && key <= tree_.last()) throw std::invalid_argument("terms that do not rise");
    words_.push(tree_.size(), key);
    tree_.push(key);
    if (similar_) texts_.push(key);
    score_of_.push_back(score == 0.0 ? 0.0 : score);  // -0.0 becomes 0.0, equal to it
}

void Writer::finish() {
    tree_.finish();
    write_ranks();

    Header header{};
    header.terms = score_of_.size();
    header.nodes = tree_.nodes().size();
    header.lists = lists_;
    header.distinct_scores = distinct_scores_;
    header.longest_key = tree_.longest();
    header.words = words_.words();
    header.word_nodes = words_.nodes();
    header.similar_terms = similar_ ? header.terms : 0;
    header.similar_words = similar_ ? header.words : 0;
    for (const double score : score_of_) header.total_score += std::max(score, 0.0);
    header.total_score = std::min(header.total_score, std::numeric_limits<double>::max());
    header.normalizer = normalizer_;
    header.similar = similar_ ? 1 : 0;
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
    write_minima(out_, ranks, width);
    write_nodes(ranks);
    write_scores(order);
    words_.finish(out_, ranks, similar_);
    write_similar(
        out_, similar_term_sections, texts_.size(), texts_.size(),
        [&](std::uint32_t rank) { return texts_[order[rank]]; }, [](std::uint32_t rank) { return rank; });
}

void Writer::write_nodes(const std::vector<std::uint32_t>& ranks) {
    std::vector<Node> tree = tree_.nodes();
    const std::vector<std::uint32_t> first_child = tree_.children();
    const std::size_t count = tree.size();
    lists_ = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (tree[i].hi - tree[i].lo >= list_terms || i == 0) tree[i].list = lists_++;

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

    tree_.write_nodes(tree, first_child);
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
