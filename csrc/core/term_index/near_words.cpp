#include "core/term_index/near_words.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/term_index/fuzzy.hpp"
#include "core/term_index/marks.hpp"
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

namespace {

// The words of the dictionary near one word of a query, and how much it takes to read the lists of all of
// them.
struct Side {
    std::vector<Found> found;
    std::uint64_t work = 0;
};

// That of the rarest first.
std::vector<Side> sides_of(const Words& words, const Asked& asked, int edits, bool fix_first) {
    std::vector<Side> sides;
    const auto add = [&](std::string_view word, Extent extent) {
        Side side{within(words, word, edits, fix_first, extent)};
        for (const Found& found : side.found) side.work += words.work(found.range);
        sides.push_back(std::move(side));
    };
    for (const std::string_view word : asked.whole()) add(word, Extent::whole);
    if (!asked.partial().empty()) add(asked.partial(), Extent::beginning);
    std::sort(sides.begin(), sides.end(), [](const Side& a, const Side& b) { return a.work < b.work; });
    return sides;
}

// Of a query of one word, the terms that may be or begin with that word.
std::vector<Found> terms_near(const Map& map, const Asked& asked, int edits, bool fix_first) {
    if (asked.words().empty()) return within(map, asked.partial(), edits, fix_first, Extent::beginning);
    if (asked.words().size() > 1 || !asked.partial().empty()) return {};
    return within(map, asked.words()[0], edits, fix_first, Extent::whole);
}

}  // namespace

bool near_with_words(const Map& map, const Asked& asked, NearWords& near, int edits, bool fix_first,
                     std::size_t k, const std::unordered_set<std::uint32_t>& hidden, std::uint64_t& budget,
                     std::vector<Ranked>& terms) {
    terms.clear();
    // All terms that answer have a word near each of the query's. Those of the rarest are looked through;
    // when as much was spent on that as it takes, marks of the second rarest tell which can be passed over.
    const Words& words = map.words();
    const std::vector<Side> sides = sides_of(words, asked, edits, fix_first);
    const std::vector<Found> own = terms_near(map, asked, edits, fix_first);
    Union of_words(words, sides[0].found.data(), sides[0].found.size(), map.terms());
    BestFirst of_terms(map, own.data(), own.size());
    std::uint32_t next_of_words = 0;
    Ranked next_of_terms{0, 0};
    bool more_words = of_words.next(next_of_words, budget), more_terms = of_terms.next(next_of_terms);

    std::uint64_t spent = 0;
    const auto take = [&](Ranked term, std::string_view key) {
        const std::uint64_t work = std::min(near_work + key.size(), budget);
        spent += work, budget -= work;
        if (budget == 0) return false;
        if (hidden.contains(term.lex) || near.edits_to(key, budget) != edits) return true;
        terms.push_back(term);
        return terms.size() < k;
    };
    std::optional<Marks> marks;
    std::vector<std::uint32_t> ranks;
    while (more_words || more_terms) {
        const bool of_word = more_words && (!more_terms || next_of_words <= next_of_terms.rank);
        const bool of_term = more_terms && (!more_words || next_of_terms.rank <= next_of_words);
        const std::uint32_t rank = of_word ? next_of_words : next_of_terms.rank;
        if (!marks.has_value() || marks->may_have(rank)) ranks.push_back(rank);
        if (of_word) more_words = of_words.next(next_of_words, budget);
        if (of_term) more_terms = of_terms.next(next_of_terms);
        if (ranks.size() < terms_ahead && (more_words || more_terms)) continue;
        if (!read_terms(map, ranks.data(), ranks.size(), take)) break;
        ranks.clear();
        if (marks.has_value() || sides.size() < 2 || spent < sides[1].work || budget < sides[1].work)
            continue;
        budget -= sides[1].work;
        marks.emplace(words, sides[1].found.data(), sides[1].found.size(), sides[1].work);
    }
    return budget > 0;
}

}  // namespace pyfastlm::term_index
