#include "core/spelling/weighing.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/parallel.hpp"
#include "core/term_index/words.hpp"

namespace pyfastlm::spelling {
namespace {

constexpr std::size_t queries_per_task = 16;

void for_all(std::size_t count, int threads, const std::function<void(std::size_t)>& see) {
    parallel_for((count + queries_per_task - 1) / queries_per_task, threads, [&](std::size_t task) {
        const std::size_t last = std::min((task + 1) * queries_per_task, count);
        for (std::size_t i = task * queries_per_task; i < last; ++i) see(i);
    });
}

std::string joined(const std::vector<std::string_view>& words, std::size_t first, std::size_t last) {
    std::string text(words[first]);
    for (std::size_t i = first + 1; i < last; ++i) (text += ' ') += words[i];
    return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    term_index::for_words(text, [&words](std::string_view word) { words.push_back(word); });
    return words;
}

}  // namespace

// The words `first` to `last - 1` of a query as one text.
struct Weighing::Unit {
    std::size_t first, last;
    bool as_word;
    std::string text, of_english;
};

// Of one query.
struct Weighing::State {
    std::vector<Unit> whole;  // none where there is nothing to correct
    std::vector<Unit> parts;
    std::vector<Candidate> of_whole;
};

// What was found for each text, which is looked up once.
class Weighing::Looked {
  public:
    explicit Looked(const Lexicon& lexicon) : lexicon_(lexicon) {}

    void need(const std::vector<Unit>& units) {
        for (const Unit& unit : units) {
            const auto [at, first] = found_.try_emplace(unit.text);
            if (!first) continue;
            texts_.push_back(at->first);
            of_english_.push_back(unit.of_english);
        }
    }
    // All that are needed and were not looked up yet.
    void look(int threads) {
        std::vector<Found> found = lexicon_.find(texts_, of_english_, threads);
        for (std::size_t i = 0; i < found.size(); ++i)
            found_.find(std::string(texts_[i]))->second = std::move(found[i]);
        texts_.clear();
        of_english_.clear();
    }
    // Null where it was not needed.
    [[nodiscard]] const Found* at(std::string_view text) const {
        const auto found = found_.find(std::string(text));
        return found == found_.end() ? nullptr : &found->second;
    }

  private:
    const Lexicon& lexicon_;
    std::unordered_map<std::string, Found> found_;
    std::vector<std::string_view> texts_, of_english_;  // of units, and of keys, which stay where they are
};

Weighing::Weighing(const Lexicon& lexicon, const Odds& odds, const Rules& rules,
                   std::unordered_set<std::string> exclude)
    : lexicon_(lexicon), odds_(odds), rules_(rules), exclude_(std::move(exclude)) {}

bool Weighing::has_letter(std::string_view text) const {
    const CodePoints read = term_index::code_points(text);
    return std::any_of(read.begin(), read.end(), rules_.is_letter);
}

bool Weighing::excluded(std::string_view text) const {
    return !exclude_.empty() && exclude_.contains(std::string(text));
}

Weighing::State Weighing::begun(const Query& query) const {
    const std::size_t count = query.words.size();
    Unit whole{0, count, false, joined(query.words, 0, count), joined(query.of_english, 0, count)};
    State state;
    if (count <= rules_.most_words && !excluded(whole.text) && has_letter(whole.text) &&
        term_index::code_points(whole.text).size() <= rules_.longest)
        state.whole.push_back(std::move(whole));
    return state;
}

// The words of a query and its neighbours, where it has several.
std::vector<Weighing::Unit> Weighing::parts(const Query& query) const {
    std::vector<Unit> units;
    const std::size_t count = query.words.size();
    for (std::size_t size = 1; size <= 2 && count > 1; ++size)
        for (std::size_t first = 0; first + size <= count; ++first)
            units.push_back({first, first + size, size == 2, joined(query.words, first, first + size),
                             joined(query.of_english, first, first + size)});
    std::erase_if(units, [this](const Unit& unit) { return !has_letter(unit.text); });
    return units;
}

std::vector<Candidate> Weighing::changes(const Unit& unit, const Looked& looked, double threshold) const {
    const CodePoints text = term_index::code_points(unit.text);
    const Found& found = *looked.at(unit.text);
    if (found.catalogued || text.size() < rules_.shortest) return {};
    const std::vector<Resembling> terms = lexicon_.options(unit.text, unit.as_word, found);
    if (terms.empty()) return {};
    const std::vector<std::string_view> words = words_of(unit.text);
    bool known = found.known;
    if (unit.as_word)  // two words that are known
        known = std::all_of(words.begin(), words.end(), [&looked](std::string_view word) {
            const Found* const one = looked.at(word);
            return one == nullptr || one->known;
        });
    const double gain = odds_(text, terms) - threshold - (known ? rules_.known : 0);
    std::vector<Candidate> changed;
    for (const Resembling& one : terms) {
        const std::vector<std::string_view> others = words_of(one.key);
        const bool lost = std::any_of(words.begin(), words.end(), [&](std::string_view word) {
            return excluded(word) && std::find(others.begin(), others.end(), word) == others.end();
        });
        if (lost) continue;
        const double score = gain + one.fit - terms[0].fit;
        changed.push_back({one.key, std::isnan(score) ? -std::numeric_limits<double>::infinity() : score,
                           static_cast<double>(one.cost)});
    }
    return changed;
}

std::vector<std::vector<Candidate>> Weighing::weigh(const std::vector<Query>& queries,
                                                    const Asked& asked) const {
    std::vector<State> states;
    Looked looked(lexicon_);
    for (const Query& query : queries) states.push_back(begun(query));
    for (const State& state : states) looked.need(state.whole);
    looked.look(asked.threads);
    for_all(queries.size(), asked.threads, [&](std::size_t i) {
        State& state = states[i];
        if (state.whole.empty()) return;
        state.of_whole = changes(state.whole[0], looked, asked.threshold);
        const bool ends = !state.of_whole.empty() &&
                          (state.of_whole[0].score > rules_.sure || state.of_whole[0].cost <= asked.near);
        if (!looked.at(state.whole[0].text)->catalogued && !ends) state.parts = parts(queries[i]);
    });
    for (const State& state : states) looked.need(state.parts);
    looked.look(asked.threads);
    std::vector<std::vector<Candidate>> found(queries.size());
    for_all(queries.size(), asked.threads, [&](std::size_t i) {
        State& state = states[i];
        const std::vector<std::string_view>& words = queries[i].words;
        std::vector<Change> all{{0, words.size(), std::move(state.of_whole)}};
        for (const Unit& unit : state.parts)
            all.push_back({unit.first, unit.last, changes(unit, looked, asked.threshold)});
        found[i] = assembled(joined(words, 0, words.size()), words, std::move(all), asked.width);
    });
    return found;
}

}  // namespace pyfastlm::spelling
