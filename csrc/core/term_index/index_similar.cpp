#include "core/term_index/index.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/parallel.hpp"
#include "core/term_index/osa.hpp"
#include "core/term_index/search.hpp"
#include "core/term_index/words.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::size_t weighed = 64;  // texts of a file that are weighed for a query, those of fewest edits
constexpr std::size_t texts_per_task = 16;

// The share of the trigrams of two texts that both have.
float share_of(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    std::size_t both = 0;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        both += a[i] == b[j];
        const bool first = a[i] <= b[j], second = b[j] <= a[i];
        i += first, j += second;
    }
    return a.empty() || b.empty() ? 0
                                  : 2.0f * static_cast<float>(both) / static_cast<float>(a.size() + b.size());
}

// What a query is compared by.
class Weighing {
  public:
    Weighing(const CodePoints& query, const EditCosts& costs, const Weights& weights, double total)
        : weights_(weights), all_(std::log1p(total)), osa_(query), written_(costs, query) {
        grams_of(query, grams_);
    }

    int edits(std::string_view text) {
        code_points(text, read_);
        return osa_.distance(read_.data(), read_.size());
    }

    Resembling weigh(std::string_view text, int edits, double score) {
        code_points(text, read_);
        grams_of(read_, other_grams_);
        Resembling one{std::string(text),
                       score,
                       edits,
                       written_.from(read_.data(), read_.size()),
                       share_of(grams_, other_grams_),
                       0};
        one.fit = weights_.popularity * (std::log1p(std::max(score, 0.0)) - all_) - weights_.cost * one.cost +
                  weights_.share * one.share;
        return one;
    }

  private:
    Weights weights_;
    double all_;
    Osa osa_;
    EditCosts::Written written_;
    std::vector<std::uint64_t> grams_, other_grams_;
    CodePoints read_;
};

}  // namespace

// How often two words come together by chance, where scores are counts.
double Index::together(double left, double right) const {
    const double total = map_->header().total_score;
    return left > 0 && right > 0 ? left / total * right : 0;
}

// The score of a term, or, where `words`, of the best term that has it as a word.
std::optional<double> Index::score_of_word(std::string_view word, bool words) const {
    if (const auto score = score_locked(word); score.has_value() || !words) return score;
    const auto place = place_of(map_->words(), word);
    if (!place.has_value()) return std::nullopt;
    return map_->score(map_->words().best(*place));
}

void Index::similar_locked(std::string_view text, const Resemblance& asked,
                           std::vector<Resembling>& found) const {
    found.clear();
    const CodePoints query = code_points(text);
    if (query.empty() || query.size() > most_code_points) return;
    const Map& map = *map_;
    Weighing weighing(query, asked.costs, asked.weights, map.header().total_score);
    const auto known = [&](std::string_view key) {
        return std::any_of(found.begin(), found.end(),
                           [key](const Resembling& one) { return one.key == key; });
    };
    const Similar& terms = map.similar_terms();
    for (const auto& [place, edits, better] : terms.find(query, weighed)) {
        const std::uint32_t rank = terms.owner(place);
        if (!hidden_.empty() && hidden_.contains(map.lex(rank))) continue;
        found.push_back(weighing.weigh(terms.text(place), edits, map.score(rank)));
    }
    const auto changed = [&](std::string_view key, double score) {
        const int edits = weighing.edits(key);
        if (edits <= most_edits_for(query.size()) && !known(key))
            found.push_back(weighing.weigh(key, edits, score));
    };
    for (const auto& [key, change] : changes_)
        if (change.score.has_value()) changed(key, *change.score);
    if (asked.words) {
        const Similar& words = map.similar_words();
        for (const auto& [place, edits, better] : words.find(query, weighed)) {
            if (known(words.text(place))) continue;
            const std::uint32_t rank = map.words().best(words.owner(place));
            found.push_back(weighing.weigh(words.text(place), edits, map.score(rank)));
        }
        for (const auto& [key, change] : changes_)
            if (change.score.has_value() && key.find(' ') != std::string::npos)
                for_words(key, [&](std::string_view word) { changed(word, *change.score); });
    }
    for (std::size_t at = 1; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) continue;  // inside of a code point
        const auto left = score_of_word(text.substr(0, at), asked.words);
        const auto right = left.has_value() ? score_of_word(text.substr(at), asked.words) : std::nullopt;
        if (!right.has_value()) continue;
        const std::string both = std::string(text.substr(0, at)) + ' ' + std::string(text.substr(at));
        if (!known(both)) found.push_back(weighing.weigh(both, 1, together(*left, *right)));
    }
    std::sort(found.begin(), found.end(), [](const Resembling& a, const Resembling& b) {
        return a.fit != b.fit ? a.fit > b.fit : a.key < b.key;
    });
    if (found.size() > asked.k) found.resize(asked.k);
}

void Index::similar(const std::vector<std::string_view>& texts, const Resemblance& asked, int threads,
                    std::vector<std::vector<Resembling>>& found) const {
    const std::shared_lock guard(lock_);
    found.resize(texts.size());
    const std::size_t tasks = (texts.size() + texts_per_task - 1) / texts_per_task;
    parallel_for(tasks, threads, [&](std::size_t task) {
        const std::size_t last = std::min((task + 1) * texts_per_task, texts.size());
        for (std::size_t i = task * texts_per_task; i < last; ++i) similar_locked(texts[i], asked, found[i]);
    });
}

}  // namespace pyfastlm::term_index
