#include "core/term_index/index.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>

#include "core/parallel.hpp"
#include "core/term_index/conjunctive.hpp"
#include "core/term_index/near_words.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::size_t queries_per_task = 64;
constexpr float no_score = -std::numeric_limits<float>::infinity();

// The lock of whoever changes the index; std::shared_lock is that of those who ask.
class Exclusive {
  public:
    explicit Exclusive(std::shared_mutex& lock) : lock_(lock) { lock_.lock(); }
    ~Exclusive() { lock_.unlock(); }
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;

  private:
    std::shared_mutex& lock_;
};

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// The answers without edits to a task's texts: [texts, k].
void fill(const Map& map, std::span<const std::string_view> texts, std::size_t k, std::int32_t* ids,
          float* scores) {
    std::array<Found, queries_per_task> found;
    find(map, texts.data(), texts.size(), found.data());
    std::vector<Ranked> terms;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        best(map, &found[i], 1, k, terms);
        std::size_t place = i * k;
        for (const Ranked& term : terms) {
            map.prefetch_score(term.rank);
            ids[place++] = static_cast<std::int32_t>(term.rank);
        }
        std::fill(ids + place, ids + (i + 1) * k, -1);
    }
    for (std::size_t place = 0; place < texts.size() * k; ++place)
        scores[place] =
            ids[place] < 0 ? no_score : static_cast<float>(map.score(static_cast<std::uint32_t>(ids[place])));
}

}  // namespace

std::size_t Index::size() const {
    const std::shared_lock guard(lock_);
    return static_cast<std::size_t>(map_->terms() + gained_);
}

std::shared_ptr<const Map> Index::map() const {
    const std::shared_lock guard(lock_);
    return map_;
}

std::shared_ptr<const Map> Index::answer(const Query& query, std::vector<Hit>& hits) const {
    const std::shared_lock guard(lock_);
    answer_locked(query, hits);
    return map_;
}

std::shared_ptr<const Map> Index::unchanged(std::string_view prefix, std::size_t k,
                                            std::vector<Ranked>& terms) const {
    const std::shared_lock guard(lock_);
    if (!changes_.empty()) return nullptr;
    const Found found = find(*map_, prefix);
    best(*map_, &found, 1, k, terms);
    return map_;
}

void Index::answers(const std::vector<std::string_view>& texts, const Query& query, int threads,
                    Table& table) const {
    const std::shared_lock guard(lock_);
    const Map& map = *map_;
    table.map = map_;
    const bool plain = query.edits == 0 && query.extent == Extent::beginning && changes_.empty();
    const std::size_t tasks = (texts.size() + queries_per_task - 1) / queries_per_task;
    std::vector<std::vector<std::pair<std::size_t, std::string>>> changed(tasks);
    parallel_for(tasks, threads, [&](std::size_t task) {
        std::vector<Hit> hits;
        const std::size_t first = task * queries_per_task;
        const std::size_t last = std::min(first + queries_per_task, texts.size());
        if (plain) {
            fill(map, {texts.data() + first, last - first}, query.k, table.ids + first * query.k,
                 table.scores + first * query.k);
            std::fill(table.exact + first, table.exact + last, true);
            return;
        }
        for (std::size_t i = first; i < last; ++i) {
            std::size_t place = i * query.k;
            Query one = query;
            one.text = texts[i];
            table.exact[i] = answer_locked(one, hits);
            for (Hit& hit : hits) {
                if (hit.rank == no_rank) changed[task].emplace_back(place, std::move(hit.key));
                table.ids[place] = static_cast<std::int32_t>(hit.rank);
                table.scores[place++] = static_cast<float>(hit.score);
            }
            for (; place < (i + 1) * query.k; ++place) {
                table.ids[place] = -1;
                table.scores[place] = no_score;
            }
        }
    });
    for (auto& of_task : changed)
        for (auto& [place, key] : of_task) {
            table.ids[place] = static_cast<std::int32_t>(map.terms() + table.others.size());
            table.others.push_back(std::move(key));
        }
}

bool Index::answer_locked(const Query& query, std::vector<Hit>& hits) const {
    if (query.extent == Extent::words) return answer_words(query, hits);
    hits.clear();
    for (int edits = 0; edits <= query.edits; ++edits)
        for (int far = query.keyboard != nullptr ? 0 : edits; far <= edits && hits.size() < query.k; ++far)
            answer_level(query, edits, {query.keyboard, far}, hits);
    return true;
}

// Appends the best terms that answer with so many edits and are not there yet.
void Index::answer_level(const Query& query, int edits, Far far, std::vector<Hit>& hits) const {
    const Map& map = *map_;
    std::vector<Ranked> terms;
    const std::size_t before = hits.size();
    const auto new_rank = [&](std::uint32_t rank) {
        return std::none_of(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(before),
                            [rank](const Hit& hit) { return hit.rank == rank; });
    };
    const bool exact = edits == 0 && query.extent == Extent::beginning;
    const std::vector<Found> found = exact
                                         ? std::vector{find(map, query.text)}
                                         : within(map, query.text, edits, query.fix_first, query.extent, far);
    if (hidden_.empty()) {
        best(map, found.data(), found.size(), query.k, terms);
        for (const auto& [rank, lex] : terms)
            if (hits.size() < query.k && new_rank(rank)) hits.push_back({rank, edits, map.score(rank), {}});
    } else {
        BestFirst all(map, found.data(), found.size());
        for (Ranked term; hits.size() < query.k && all.next(term);)
            if (!hidden_.contains(term.lex) && new_rank(term.rank))
                hits.push_back({term.rank, edits, map.score(term.rank), {}});
    }
    if (changes_.empty()) return;

    std::vector<Hit> changed(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(before));
    changed_hits(query, edits, far, changed);
    hits.insert(hits.end(), std::make_move_iterator(changed.begin() + static_cast<std::ptrdiff_t>(before)),
                std::make_move_iterator(changed.end()));
    order(before, query.k, hits);
}

void Index::order(std::size_t first, std::size_t k, std::vector<Hit>& hits) const {
    const auto bytes_of = [this](const Hit& hit) {
        std::string key = hit.key;
        if (hit.rank != no_rank) map_->key(map_->lex(hit.rank), key);
        return key;
    };
    std::stable_sort(hits.begin() + static_cast<std::ptrdiff_t>(first), hits.end(),
                     [&](const Hit& a, const Hit& b) {
                         if (a.score != b.score) return a.score > b.score;
                         return bytes_of(a) < bytes_of(b);
                     });
    if (hits.size() > k) hits.resize(k);
}

bool Index::answer_words(const Query& query, std::vector<Hit>& hits) const {
    Asked asked(query.text);
    if (asked.nothing()) return answer_locked({{}, query.k, 0, true, Extent::beginning}, hits);
    std::optional<NearWords> near;
    if (query.edits > 0) near.emplace(asked, query.edits, query.fix_first);
    std::uint64_t budget = query.budget;
    std::vector<Ranked> terms;
    hits.clear();
    bool exact = true;
    for (int edits = 0; edits <= query.edits && hits.size() < query.k && exact; ++edits) {
        const std::size_t before = hits.size(), k = query.k - before;
        exact = edits == 0
                    ? best_with_words(*map_, asked, k, hidden_, budget, terms)
                    : near_with_words(*map_, asked, *near, edits, query.fix_first, k, hidden_, budget, terms);
        for (const Ranked term : terms) hits.push_back({term.rank, edits, map_->score(term.rank), {}});
        if (changes_.empty()) continue;
        for (const auto& [key, change] : changes_)
            if (change.score.has_value() &&
                (edits == 0 ? asked.answers(key) : near->edits_to(key, budget) == edits))
                hits.push_back({no_rank, edits, *change.score, key});
        order(before, query.k, hits);
    }
    return exact && budget > 0;
}

// Appends the terms of `changes_` that answer with `edits` at most and are not there yet.
void Index::changed_hits(const Query& query, int edits, Far far, std::vector<Hit>& hits) const {
    const std::size_t before = hits.size();
    const auto take = [&](const std::string& key, const Change& change) {
        if (!change.score.has_value()) return;
        for (std::size_t i = 0; i < before; ++i)
            if (hits[i].rank == no_rank && hits[i].key == key) return;
        hits.push_back({no_rank, edits, *change.score, key});
    };
    if (edits == 0) {
        for (auto at = changes_.lower_bound(query.text); at != changes_.end(); ++at) {
            if (!starts_with(at->first, query.text)) break;
            if (query.extent == Extent::whole && at->first != query.text) break;
            take(at->first, at->second);
        }
        return;
    }
    for (const auto& [key, change] : changes_)
        if (is_within(key, query.text, edits, query.fix_first, query.extent, far)) take(key, change);
}

std::optional<double> Index::score_locked(std::string_view key) const {
    const auto changed = changes_.find(key);
    if (changed != changes_.end()) return changed->second.score;
    const auto lex = place_of(*map_, key);
    if (!lex.has_value()) return std::nullopt;
    return map_->score(map_->rank(*lex));
}

std::optional<double> Index::score(std::string_view key) const {
    const std::shared_lock guard(lock_);
    return score_locked(key);
}

void Index::change(std::string_view key, std::optional<double> score) {
    const auto place = place_of(*map_, key);
    if (place.has_value()) hidden_.insert(*place);
    const std::optional<double> before = score_locked(key);
    gained_ += static_cast<int>(score.has_value()) - static_cast<int>(before.has_value());
    gained_score_ += std::max(score.value_or(0), 0.0) - std::max(before.value_or(0), 0.0);
    if (score.has_value() || place.has_value())
        changes_.insert_or_assign(std::string(key), Change{score});
    else
        changes_.erase(changes_.find(key));
}

void Index::add(std::string_view key, double score) {
    if (!std::isfinite(score)) throw std::invalid_argument("a score that is not finite");
    if (key.size() > longest_key) throw std::invalid_argument("a term of more than 134,217,727 bytes");
    const Exclusive guard(lock_);
    change(key, score == 0.0 ? 0.0 : score);
}

bool Index::remove(std::string_view key) {
    const Exclusive guard(lock_);
    if (!score_locked(key).has_value()) return false;
    change(key, std::nullopt);
    return true;
}

void Index::write(Writer& writer) const {
    std::shared_ptr<const Map> old;
    Changes changes;
    {
        const std::shared_lock guard(lock_);
        old = map_, changes = changes_;
    }
    auto next = changes.begin();
    const auto write_changes_before = [&](const std::string* key) {
        for (; next != changes.end() && (key == nullptr || next->first < *key); ++next)
            if (next->second.score.has_value()) writer.push(next->first, *next->second.score);
    };
    for (Terms terms(*old); terms.next();) {
        write_changes_before(&terms.key());
        if (next == changes.end() || next->first != terms.key())
            writer.push(terms.key(), old->score(old->rank(terms.lex())));
    }
    write_changes_before(nullptr);
    writer.finish();
}

void Index::adopt(std::shared_ptr<const Map> map) {
    const Exclusive guard(lock_);
    map_ = std::move(map);
    const Changes since = std::exchange(changes_, {});
    hidden_.clear();
    gained_ = 0, gained_score_ = 0;
    for (const auto& [term, made] : since)
        if (score_locked(term) != made.score) change(term, made.score);
}

}  // namespace pyfastlm::term_index
