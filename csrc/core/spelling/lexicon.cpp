#include "core/spelling/lexicon.hpp"

#include <algorithm>
#include <string>

#include "core/parallel.hpp"

namespace pyfastlm::spelling {
namespace {

constexpr std::size_t texts_per_task = 64;

}  // namespace

std::vector<Found> Lexicon::find(const std::vector<std::string_view>& texts,
                                 const std::vector<std::string_view>& of_english, int threads) const {
    if (texts.empty()) return {};
    const term_index::Resemblance asked{counts_.asked, costs_, weights_, true};
    std::vector<std::vector<Resembling>> of_catalogue, words(texts.size());
    catalogue_.similar(texts, asked, threads, of_catalogue);
    if (english_ != nullptr) english_->similar(of_english, asked, threads, words);
    std::vector<Found> found(texts.size());
    const std::size_t tasks = (texts.size() + texts_per_task - 1) / texts_per_task;
    parallel_for(tasks, threads, [&](std::size_t task) {
        const std::size_t last = std::min((task + 1) * texts_per_task, texts.size());
        for (std::size_t i = task * texts_per_task; i < last; ++i) {
            Found& one = found[i];
            one.catalogue = std::move(of_catalogue[i]);
            one.english = std::move(words[i]);
            one.catalogued = catalogued(texts[i], one.catalogue);
            one.known = one.catalogued || (english_ != nullptr && english_->score(of_english[i]).has_value());
        }
    });
    return found;
}

bool Lexicon::catalogued(std::string_view text, const std::vector<Resembling>& similar) const {
    const auto is_text = [text](const Resembling& one) { return one.key == text; };
    if (std::any_of(similar.begin(), similar.end(), is_text) || catalogue_.score(text).has_value())
        return true;
    if (text.find(' ') != std::string_view::npos) return false;
    // Where many names that are asked for more resemble a word, it is not among those similar to it. One name
    // is looked for, which takes no budget to speak of.
    constexpr std::uint64_t budget = 1 << 23;
    const std::string word = std::string(text) + ' ';
    std::vector<term_index::Hit> hits;
    catalogue_.answer({word, 1, 0, true, term_index::Extent::words, budget}, hits);
    return !hits.empty();
}

std::vector<std::uint32_t> Lexicon::digits(std::string_view text) const {
    std::vector<std::uint32_t> found = term_index::code_points(text);
    std::erase_if(found, [this](std::uint32_t code_point) { return !is_digit_(code_point); });
    return found;
}

std::vector<Resembling> Lexicon::options(std::string_view text, bool as_word, const Found& found) const {
    std::vector<Resembling> options;
    const std::vector<std::uint32_t> figures = digits(text);
    for (const auto* const side : {&found.catalogue, &found.english})
        for (const Resembling& one : *side) {
            if (one.key == text || (as_word && one.key.find(' ') != std::string::npos)) continue;
            if (digits(one.key) != figures) continue;
            const auto same = std::find_if(options.begin(), options.end(),
                                           [&one](const Resembling& other) { return other.key == one.key; });
            if (same == options.end())
                options.push_back(one);
            else if (one.fit > same->fit)
                *same = one;
        }
    std::sort(options.begin(), options.end(), [](const Resembling& a, const Resembling& b) {
        return a.fit != b.fit ? a.fit > b.fit : a.key < b.key;
    });
    if (options.size() > counts_.kept) options.resize(counts_.kept);
    return options;
}

}  // namespace pyfastlm::spelling
