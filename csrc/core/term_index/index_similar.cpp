#include "core/term_index/index.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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
        : weights_(weights), all_(std::log1p(total)), osa_(query, most_edits_for(query.size())),
          written_(costs, query) {
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
        if (std::isnan(one.fit)) one.fit = -std::numeric_limits<double>::infinity();  // of a damaged score
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

// Of all terms as they are now.
double Index::total_score() const {
    constexpr double most = std::numeric_limits<double>::max();
    const double total = map_->header().total_score + gained_score_;
    return total < most ? std::max(total, 0.0) : most;  // `most` for what is no number, too
}

// The words of the terms that were added since, each with the best score of those.
Index::WordScores Index::changed_words() const {
    WordScores best;
    for (const auto& [key, change] : changes_)
        if (change.score.has_value() && key.find(' ') != std::string::npos)
            for_words(key, [&](std::string_view word) {
                const auto [at, first] = best.try_emplace(word, *change.score);
                if (!first) at->second = std::max(at->second, *change.score);
            });
    return best;
}

// The best score of the terms that have a word of the file, as they are now.
std::optional<double> Index::score_of_word(std::uint32_t word, std::string_view text,
                                           const WordScores& changed) const {
    std::optional<double> best;
    if (hidden_.empty()) {
        best = map_->score(map_->words().best(word));
    } else {
        for (Postings ranks = map_->words().postings(word); !ranks.done() && !best.has_value(); ranks.next())
            if (!hidden_.contains(map_->lex(ranks.rank()))) best = map_->score(ranks.rank());
    }
    const auto added = changed.find(text);
    return added == changed.end() ? best : std::max(best.value_or(added->second), added->second);
}

void Index::similar_locked(std::string_view text, const Resemblance& asked, const WordScores& changed,
                           std::vector<Resembling>& found) const {
    found.clear();
    const CodePoints query = code_points(text);
    if (query.empty() || query.size() > most_code_points) return;
    const Map& map = *map_;
    const double total = total_score();
    Weighing weighing(query, asked.costs, asked.weights, total);
    const auto known = [&](std::string_view key) {
        return std::any_of(found.begin(), found.end(),
                           [key](const Resembling& one) { return one.key == key; });
    };
    const auto compare = [&](std::string_view key, double score) {
        const int edits = weighing.edits(key);
        if (edits <= most_edits_for(query.size()) && !known(key))
            found.push_back(weighing.weigh(key, edits, score));
    };
    const Similar& terms = map.similar_terms();
    for (const auto& [place, edits, better] : terms.find(query, weighed)) {
        const std::uint32_t rank = terms.owner(place);
        if (!hidden_.empty() && hidden_.contains(map.lex(rank))) continue;
        found.push_back(weighing.weigh(terms.text(place), edits, map.score(rank)));
    }
    for (const auto& [key, change] : changes_)
        if (change.score.has_value()) compare(key, *change.score);
    if (asked.words) {
        const Similar& words = map.similar_words();
        for (const auto& [place, edits, better] : words.find(query, weighed)) {
            const std::string_view word = words.text(place);
            if (known(word)) continue;
            if (const auto score = score_of_word(words.owner(place), word, changed); score.has_value())
                found.push_back(weighing.weigh(word, edits, *score));
        }
        for (const auto& [word, score] : changed) compare(word, score);
    }

    // Without the space between two of them.
    const auto score_of = [&](std::string_view part) -> std::optional<double> {
        if (const auto score = score_locked(part); score.has_value() || !asked.words) return score;
        if (const auto place = place_of(map.words(), part); place.has_value())
            return score_of_word(*place, part, changed);
        const auto added = changed.find(part);
        return added == changed.end() ? std::nullopt : std::optional(added->second);
    };
    for (std::size_t at = 1; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) continue;  // inside of a code point
        const auto left = score_of(text.substr(0, at));
        const auto right = left.has_value() ? score_of(text.substr(at)) : std::nullopt;
        if (!right.has_value()) continue;
        const std::string both = std::string(text.substr(0, at)) + ' ' + std::string(text.substr(at));
        if (known(both)) continue;
        const double by_chance =
            *left > 0 && *right > 0 ? *left / std::max({total, *left, *right}) * *right : 0;
        found.push_back(weighing.weigh(both, 1, score_locked(both).value_or(by_chance)));
    }
    std::sort(found.begin(), found.end(), [](const Resembling& a, const Resembling& b) {
        return a.fit != b.fit ? a.fit > b.fit : a.key < b.key;
    });
    if (found.size() > asked.k) found.resize(asked.k);
}

void Index::similar(const std::vector<std::string_view>& texts, const Resemblance& asked, int threads,
                    std::vector<std::vector<Resembling>>& found) const {
    const std::shared_lock guard(lock_);
    const WordScores changed = asked.words ? changed_words() : WordScores();
    found.resize(texts.size());
    const std::size_t tasks = (texts.size() + texts_per_task - 1) / texts_per_task;
    parallel_for(tasks, threads, [&](std::size_t task) {
        const std::size_t last = std::min((task + 1) * texts_per_task, texts.size());
        for (std::size_t i = task * texts_per_task; i < last; ++i)
            similar_locked(texts[i], asked, changed, found[i]);
    });
}

}  // namespace pyfastlm::term_index
