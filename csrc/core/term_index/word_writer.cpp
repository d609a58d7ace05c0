#include "core/term_index/word_writer.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "core/term_index/packing.hpp"
#include "core/term_index/similar_writer.hpp"
#include "core/term_index/tree_writer.hpp"
#include "core/term_index/words.hpp"
#include "core/term_index/xxh64.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::uint32_t none = 0xffffffff;

std::uint64_t leb128_bytes(std::uint32_t value) {
    return value < 1u << 7 ? 1 : value < 1u << 14 ? 2 : value < 1u << 21 ? 3 : value < 1u << 28 ? 4 : 5;
}

}  // namespace

std::uint32_t Names::number(std::string_view name) {
    if (slots_.size() <= 2 * std::size_t{size()}) grow();
    for (std::size_t slot = xxh64(name.data(), name.size());; ++slot) {
        std::uint32_t& number = slots_[slot & (slots_.size() - 1)];
        if (number != none && (*this)[number] != name) continue;
        if (number == none) {
            number = size();
            texts_.push(name);
        }
        return number;
    }
}

void Names::grow() {
    slots_.assign(std::max<std::size_t>(1024, 2 * slots_.size()), none);
    for (std::uint32_t number = 0; number < size(); ++number) {
        const std::string_view name = (*this)[number];
        std::size_t slot = xxh64(name.data(), name.size());
        while (slots_[slot & (slots_.size() - 1)] != none) ++slot;
        slots_[slot & (slots_.size() - 1)] = number;
    }
}

void WordWriter::push(std::uint32_t lex, std::string_view term) {
    if (term.find(' ') == std::string_view::npos) return;
    const auto before = static_cast<std::ptrdiff_t>(said_.size());
    for_words(term, [this](std::string_view word) { said_.push_back(names_.number(word)); });
    std::sort(said_.begin() + before, said_.end());
    said_.erase(std::unique(said_.begin() + before, said_.end()), said_.end());
    if (said_.size() > most_words) throw std::invalid_argument("terms of more than 4,294,967,295 words");
    if (names_.size() > most_terms) throw std::invalid_argument("more than 2,147,483,647 different words");
    terms_.push_back(lex);
    ends_.push_back(static_cast<std::uint32_t>(said_.size()));
}

// Calls `see` for each (word, rank), ranks rising.
template <class See>
void WordWriter::for_postings(const std::vector<std::uint32_t>& ranks, const See& see) const {
    std::vector<std::uint32_t> place(ranks.size(), none);  // in terms_, by rank
    for (std::uint32_t i = 0; i < terms_.size(); ++i) place[ranks[terms_[i]]] = i;
    for (std::uint32_t rank = 0; rank < place.size(); ++rank) {
        const std::uint32_t i = place[rank];
        if (i == none) continue;
        for (std::uint32_t j = i == 0 ? 0 : ends_[i - 1]; j < ends_[i]; ++j) see(said_[j], rank);
    }
}

void WordWriter::finish(Output& out, const std::vector<std::uint32_t>& ranks, bool similar) {
    std::vector<std::uint32_t> order(names_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [this](std::uint32_t a, std::uint32_t b) { return names_[a] < names_[b]; });
    TreeWriter tree(out, word_sections);
    for (const std::uint32_t number : order) tree.push(names_[number]);
    tree.finish();
    const std::vector<Node> found = tree.nodes();
    nodes_ = found.size();
    tree.write_nodes(found, tree.children());

    struct List {
        std::uint64_t at = 0;  // bytes first, then where the next one goes
        std::uint32_t best = none, last = none;
    };
    std::vector<List> lists(names_.size());
    for_postings(ranks, [&](std::uint32_t word, std::uint32_t rank) {
        List& list = lists[word];
        if (list.best == none)
            list.best = rank;
        else
            list.at += leb128_bytes(rank - list.last - 1);
        list.last = rank;
    });
    std::vector<std::uint32_t> best;
    std::vector<std::uint64_t> starts{0};
    for (const std::uint32_t number : order) {
        List& list = lists[number];
        best.push_back(list.best);
        starts.push_back(starts.back() + list.at);
        list.at = starts[starts.size() - 2];
        list.last = none;
    }
    const unsigned width = width_of(ranks.size());
    out.begin(word_best);
    write_packed(out, best, width);
    out.begin(word_minima);
    write_minima(out, best, width);
    out.begin(posting_starts);
    write_packed(out, starts, width_of(starts.back()));

    std::string bytes(starts.back(), '\0');
    for_postings(ranks, [&](std::uint32_t word, std::uint32_t rank) {
        List& list = lists[word];
        if (list.last != none) {
            std::uint32_t value = rank - list.last - 1;
            for (; value >= 0x80; value >>= 7) bytes[list.at++] = static_cast<char>(value | 0x80);
            bytes[list.at++] = static_cast<char>(value);
        }
        list.last = rank;
    });
    out.begin(postings);
    out.write(bytes);

    std::vector<std::uint32_t> best_first(order.size());
    std::iota(best_first.begin(), best_first.end(), 0u);
    std::stable_sort(best_first.begin(), best_first.end(),
                     [&best](std::uint32_t a, std::uint32_t b) { return best[a] < best[b]; });
    write_similar(
        out, similar_word_sections, similar ? names_.size() : 0, names_.size(),
        [&](std::uint32_t i) { return names_[order[best_first[i]]]; },
        [&](std::uint32_t i) { return best_first[i]; });
}

}  // namespace pyfastlm::term_index
