#include "core/spelling/assembly.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace pyfastlm::spelling {
namespace {

bool better(const Candidate& a, const Candidate& b) {
    return std::tuple(-a.score, a.cost, std::string_view(a.text)) <
           std::tuple(-b.score, b.cost, std::string_view(b.text));
}

Candidate longer(const Candidate& begun, std::string_view text, double score, double cost) {
    Candidate next{begun.text, begun.score + score, begun.cost + cost};
    if (!next.text.empty()) next.text += ' ';
    next.text += text;
    if (std::isnan(next.score)) next.score = -std::numeric_limits<double>::infinity();
    return next;
}

// Of each text the one of the greatest score, and of those of the greatest cost; the best `width` of them.
std::vector<Candidate> kept(std::vector<Candidate> all, std::size_t width) {
    std::unordered_map<std::string_view, std::size_t> best;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto [at, first] = best.try_emplace(all[i].text, i);
        if (!first &&
            std::tuple(all[i].score, all[i].cost) > std::tuple(all[at->second].score, all[at->second].cost))
            at->second = i;
    }
    std::vector<std::size_t> order;
    for (const auto& [text, i] : best) order.push_back(i);
    const std::size_t count = std::min(width, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                      [&all](std::size_t a, std::size_t b) {
                          return all[a].score != all[b].score ? all[a].score > all[b].score
                                                              : all[a].text < all[b].text;
                      });
    std::vector<Candidate> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back(std::move(all[order[i]]));
    return found;
}

// The best text for all of the query.
std::optional<Candidate> name_in(const std::vector<Change>& changes, std::size_t words) {
    std::optional<Candidate> best;
    for (const Change& change : changes) {
        if (change.first > 0 || change.last < words) continue;
        for (const Candidate& one : change.texts)
            if (!best || better(one, *best)) best = one;
    }
    return best;
}

// `name` is not crowded out by what its words may have meant.
std::vector<Candidate> with_query(std::vector<Candidate> all, std::string_view query, std::size_t width,
                                  const std::optional<Candidate>& name) {
    std::erase_if(all, [query](const Candidate& one) { return one.text == query; });
    std::sort(all.begin(), all.end(), better);
    if (all.size() > width) all.resize(width);
    const auto is_name = [&name](const Candidate& one) { return one.text == name->text; };
    if (name && name->text != query && width > 1 && std::none_of(all.begin(), all.end(), is_name)) {
        if (all.size() == width) all.pop_back();
        all.insert(std::upper_bound(all.begin(), all.end(), *name, better), *name);
    }
    Candidate itself{std::string(query), 0, 0};
    all.insert(std::upper_bound(all.begin(), all.end(), itself, better), std::move(itself));
    return all;
}

}  // namespace

std::vector<Candidate> assembled(std::string_view query, const std::vector<std::string_view>& words,
                                 std::vector<Change> changes, std::size_t width) {
    const std::optional<Candidate> name = name_in(changes, words.size());
    const bool of_parts = std::any_of(changes.begin(), changes.end(), [&words](const Change& change) {
        return change.first > 0 || change.last < words.size();
    });
    if (!of_parts) {
        std::vector<Candidate> all;
        for (Change& change : changes)
            std::move(change.texts.begin(), change.texts.end(), std::back_inserter(all));
        return with_query(std::move(all), query, width, name);
    }
    std::vector<std::vector<Candidate>> beams(words.size() + 1);
    beams[0].push_back({});
    for (std::size_t end = 1; end <= words.size(); ++end) {
        std::vector<Candidate> found;
        for (const Candidate& begun : beams[end - 1]) found.push_back(longer(begun, words[end - 1], 0, 0));
        for (const Change& change : changes) {
            if (change.last != end) continue;
            for (const Candidate& other : change.texts)
                for (const Candidate& begun : beams[change.first])
                    found.push_back(longer(begun, other.text, other.score, other.cost));
        }
        beams[end] = kept(std::move(found), width);
    }
    return with_query(std::move(beams.back()), query, width, name);
}

}  // namespace pyfastlm::spelling
