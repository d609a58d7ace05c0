#include "core/term_index/near_words.hpp"

#include <algorithm>
#include <string>

#include "core/term_index/fuzzy.hpp"
#include "core/term_index/read_ahead.hpp"
#include "core/term_index/union.hpp"

namespace pyfastlm::term_index {
namespace {

std::uint32_t first_of(std::string_view text) {
    Utf8 utf8;
    for (const char c : text)
        if (utf8.see(static_cast<unsigned char>(c))) break;
    return utf8.value();
}

template <int limit>
bool accepts(const Edits<limit>& edits, bool beginning, std::string_view text) {
    EditState state = edits.start();
    Utf8 utf8;
    for (const char c : text) {
        if (beginning && utf8.whole() && edits.accepts(state)) return true;
        if (!utf8.see(static_cast<unsigned char>(c))) continue;
        state = edits.step(state, utf8.value());
        if (edits.dead(state)) return false;
    }
    return edits.accepts(state);
}

}  // namespace

NearWords::NearWords(const Asked& asked, int most, bool fix_first) : most_(most), fix_first_(fix_first) {
    const auto add = [this](std::string_view text, bool partial) {
        const std::vector<std::uint32_t> read = code_points(text);
        words_.push_back({text, partial, read[0], Edits<1>(read), Edits<2>(read)});
    };
    for (const std::string_view word : asked.words()) add(word, false);
    if (!asked.partial().empty()) add(asked.partial(), true);
}

int NearWords::distance(const Word& word, std::string_view other) const {
    if ((word.partial ? other.substr(0, word.text.size()) : other) == word.text) return 0;
    if (fix_first_ && first_of(other) != word.first) return most_ + 1;
    if (accepts(word.one, word.partial, other)) return 1;
    return most_ > 1 && accepts(word.two, word.partial, other) ? 2 : most_ + 1;
}

int NearWords::known_distance(std::size_t word, std::size_t other) {
    std::uint8_t& known = distances_[word * others_.size() + other];
    if (known == unknown) known = static_cast<std::uint8_t>(distance(words_[word], others_[other]));
    return known;
}

// Gives `word`, and then those after it, words of the term, where that may be less than `best_` in all.
void NearWords::assign(std::size_t word, int spent, std::uint64_t& work) {
    if (word == words_.size()) {
        best_ = spent;
        return;
    }
    for (std::size_t other = 0; other < others_.size() && best_ > spent && work > 0; ++other) {
        --work;
        if (free_[other] == 0) continue;
        const int sum = spent + known_distance(word, other);
        if (sum >= best_) continue;
        --free_[other];
        assign(word + 1, sum, work);
        ++free_[other];
    }
}

int NearWords::edits_to(std::string_view term, std::uint64_t& work) {
    others_.clear();
    for_words(term, [this](std::string_view word) { others_.push_back(word); });
    best_ = most_ + 1;
    if (others_.size() < words_.size()) return best_;
    std::sort(others_.begin(), others_.end());
    free_.clear();
    std::size_t different = 0;
    for (std::size_t i = 0; i < others_.size(); ++i) {
        if (different > 0 && others_[different - 1] == others_[i]) {
            ++free_.back();
        } else {
            others_[different++] = others_[i];
            free_.push_back(1);
        }
    }
    others_.resize(different);
    distances_.assign(words_.size() * different, unknown);
    assign(0, 0, work);
    return best_;
}

bool near_with_words(const Map& map, const Asked& asked, NearWords& near, int edits, bool fix_first,
                     std::size_t k, const std::unordered_set<std::uint32_t>& hidden, std::uint64_t& budget,
                     std::vector<Ranked>& terms) {
    terms.clear();
    const Words& words = map.words();
    // All terms that answer have a word near each of the query's: look through those of the rarest.
    std::vector<Found> rarest;
    std::uint64_t least = ~std::uint64_t{0};
    const auto consider = [&](std::string_view word, Extent extent) {
        std::vector<Found> found = within(words, word, edits, fix_first, extent);
        std::uint64_t work = 0;
        for (const Found& near_it : found) work += words.posting_bytes(near_it.range) + near_it.range.size();
        if (work >= least) return;
        least = work;
        rarest = std::move(found);
    };
    for (const std::string_view word : asked.whole()) consider(word, Extent::whole);
    if (!asked.partial().empty()) consider(asked.partial(), Extent::beginning);

    // Of a query of one word also the terms that are one.
    std::vector<Found> own;
    if (asked.words().empty()) own = within(map, asked.partial(), edits, fix_first, Extent::beginning);
    if (asked.words().size() == 1 && asked.partial().empty())
        own = within(map, asked.words()[0], edits, fix_first, Extent::whole);

    Union of_words(words, rarest.data(), rarest.size(), map.terms());
    BestFirst of_terms(map, own.data(), own.size());
    std::uint32_t next_of_words = 0;
    Ranked next_of_terms{0, 0};
    bool more_words = of_words.next(next_of_words, budget), more_terms = of_terms.next(next_of_terms);
    std::vector<std::uint32_t> ranks;
    const auto take = [&](Ranked term, std::string_view key) {
        const std::uint64_t work = near_work + key.size();
        if (budget <= work) budget = 0;
        if (budget == 0) return false;
        budget -= work;
        if (hidden.contains(term.lex) || near.edits_to(key, budget) != edits) return true;
        terms.push_back(term);
        return terms.size() < k;
    };
    while (more_words || more_terms) {
        const bool of_both = more_words && more_terms && next_of_words == next_of_terms.rank;
        const bool of_word = more_words && (!more_terms || next_of_words <= next_of_terms.rank);
        ranks.push_back(of_word ? next_of_words : next_of_terms.rank);
        if (of_word) more_words = of_words.next(next_of_words, budget);
        if (!of_word || of_both) more_terms = of_terms.next(next_of_terms);
        if (ranks.size() < terms_ahead && (more_words || more_terms)) continue;
        if (!read_terms(map, ranks.data(), ranks.size(), take)) break;
        ranks.clear();
    }
    return budget > 0;
}

}  // namespace pyfastlm::term_index
