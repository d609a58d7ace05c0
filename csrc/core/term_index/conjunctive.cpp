#include "core/term_index/conjunctive.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "core/term_index/marks.hpp"
#include "core/term_index/read_ahead.hpp"
#include "core/term_index/union.hpp"

namespace pyfastlm::term_index {

Asked::Asked(std::string_view text) {
    for_words(text, [this](std::string_view word) { words_.push_back(word); });
    if (!words_.empty() && text.back() != ' ') {
        partial_ = words_.back();
        words_.pop_back();
    }
    std::sort(words_.begin(), words_.end());
    for (const std::string_view word : words_) {
        least_bytes_ += word.size() + 1;
        if (!whole_.empty() && whole_.back() == word) {
            ++times_.back();
        } else {
            whole_.push_back(word);
            times_.push_back(1);
        }
    }
    least_bytes_ += partial_.size();  // with a space before it where there are words
    if (partial_.empty()) --least_bytes_;
}

bool Asked::partial_begins_whole() const {
    const auto at = std::lower_bound(whole_.begin(), whole_.end(), partial_);
    return at != whole_.end() && at->substr(0, partial_.size()) == partial_;
}

bool Asked::answers(std::string_view term) {
    if (term.size() < least_bytes_) return false;
    missing_ = times_;
    std::size_t left = words_.size();
    bool further = partial_.empty();
    for_words(term, [&](std::string_view word) {
        const auto same = std::lower_bound(whole_.begin(), whole_.end(), word);
        const auto place = static_cast<std::size_t>(same - whole_.begin());
        if (same != whole_.end() && *same == word && missing_[place] > 0)
            --missing_[place], --left;
        else if (!further && word.substr(0, partial_.size()) == partial_)
            further = true;
    });
    return left == 0 && further;
}

namespace {

constexpr std::uint64_t sorting = 16;  // how much more work it is to sort postings than to read them
constexpr std::uint64_t never = ~std::uint64_t{0} / (2 * sorting);

using Ranks = std::vector<std::uint32_t>;

// Rising ranks in memory, read as Postings are.
struct Few {
    const std::uint32_t *at, *end;
    [[nodiscard]] bool done() const { return at == end; }
    [[nodiscard]] std::uint32_t rank() const { return *at; }
    void next() { ++at; }
};

class Search {
  public:
    Search(const Map& map, Asked& asked, std::size_t k, const std::unordered_set<std::uint32_t>& hidden,
           std::uint64_t& budget, std::vector<Ranked>& terms)
        : map_(map), words_(map.words()), asked_(asked), k_(k), hidden_(hidden), left_(budget),
          alone_(asked.words().size() == 1 && asked.partial().empty()), terms_(terms) {}

    bool run() {
        terms_.clear();
        if (asked_.words().empty()) {
            with_partial();
        } else {
            with_whole();
            if (alone_) add_word_itself();
        }
        return exact_;
    }

  private:
    bool afford(std::uint64_t work) {
        if (work > left_) return false;
        left_ -= work;
        return true;
    }

    // One word that is not whole: the terms that begin with it, and those that have such a word after a
    // space.
    void with_partial() {
        const Found own = find(map_, asked_.partial());
        if (hidden_.empty()) {
            best(map_, &own, 1, k_, terms_);
        } else {
            BestFirst all(map_, &own, 1);
            for (Ranked term; terms_.size() < k_ && all.next(term);)
                if (!hidden_.contains(term.lex)) terms_.push_back(term);
        }
        const Found further = find(words_, asked_.partial());
        if (further.range.size() == 0) return;
        const auto count = terms_.size();
        Union ranks(words_, &further, 1, count == k_ ? terms_.back().rank : map_.terms());
        for (std::uint32_t rank = 0; terms_.size() - count < k_ && ranks.next(rank, left_);)
            if (hidden_.empty() || !hidden_.contains(map_.lex(rank))) terms_.push_back({rank, unknown_lex});
        exact_ = left_ > 0;
        order(count);
    }

    // The terms from the place `middle` on come to those before it.
    void order(std::size_t middle) {
        std::inplace_merge(terms_.begin(), terms_.begin() + static_cast<std::ptrdiff_t>(middle), terms_.end(),
                           [](Ranked a, Ranked b) { return a.rank < b.rank; });
        const auto end =
            std::unique(terms_.begin(), terms_.end(), [](Ranked a, Ranked b) { return a.rank == b.rank; });
        terms_.erase(end, terms_.end());
        if (terms_.size() > k_) terms_.resize(k_);
    }

    // A term without a space is its only word.
    void add_word_itself() {
        const std::optional<std::uint32_t> lex = place_of(map_, asked_.whole()[0]);
        if (!lex.has_value() || hidden_.contains(*lex)) return;
        terms_.push_back({map_.rank(*lex), *lex});
        order(terms_.size() - 1);
    }

    void with_whole() {
        std::vector<Postings> lists;
        for (const std::string_view word : asked_.whole()) {
            const std::optional<std::uint32_t> place = place_of(words_, word);
            if (!place.has_value()) return;
            lists.push_back(words_.postings(*place));
        }
        std::sort(lists.begin(), lists.end(),
                  [](const Postings& a, const Postings& b) { return a.left() < b.left(); });
        Postings& shortest = lists[0];
        std::vector<Postings> filters(lists.begin() + 1, lists.end());
        Found further{{0, 0}};
        std::uint64_t range_work = never;
        if (!asked_.partial().empty()) {
            further = find(words_, asked_.partial());
            if (further.range.size() == 0) return;
            if (!asked_.partial_begins_whole()) range_work = words_.work(further.range);
        }
        // The best terms of the rarest word are tried, until as much has been spent on them as it takes to
        // find out from the lists which of the others may answer.
        const auto list_work = [&] {
            const std::uint64_t filter = filters.empty() ? never : filters[0].left();
            return shortest.left() + std::min(filter, range_work);
        };
        const auto other_way = [&] { return std::min(list_work(), sorting * range_work); };
        Ranks ranks;
        for (std::uint64_t spent = 0; spent < other_way() || left_ < other_way();
             spent += ranks.size() * term_work) {
            if (shortest.done()) return;
            ranks.clear();
            for (; ranks.size() < ahead() && !shortest.done(); shortest.next())
                ranks.push_back(shortest.rank());
            if (!check(ranks)) return;
        }
        if (shortest.done()) return;
        if (sorting * range_work < list_work()) {
            left_ -= range_work;
            const Ranks few = of_range(further.range, shortest.rank());
            filters.insert(filters.begin(), shortest);
            walk(Few{few.data(), few.data() + few.size()}, few.size(), filters, nullptr);
            return;
        }
        const std::uint64_t count = shortest.left() + 1;  // at most
        left_ -= count - 1;
        std::optional<Marks> marks;
        if (range_work < (filters.empty() ? count * term_work : filters[0].left()) && afford(range_work))
            marks.emplace(words_, &further, 1, range_work);
        walk(shortest, count, filters, marks.has_value() ? &*marks : nullptr);
    }

    // The ranks, from one on, of all terms that have a word of a range.
    [[nodiscard]] Ranks of_range(Range range, std::uint32_t from) const {
        Ranks ranks;
        for_postings(words_, range, [&](std::uint32_t rank) {
            if (rank >= from) ranks.push_back(rank);
        });
        std::sort(ranks.begin(), ranks.end());
        ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
        return ranks;
    }

    // Checks those of `count` ranks that are in the lists, where these are short, and marked.
    template <class Source>
    void walk(Source source, std::uint64_t count, std::vector<Postings>& lists, const Marks* marks) {
        std::erase_if(lists, [&](const Postings& list) {
            return list.left() >= count * term_work || !afford(list.left());
        });
        Ranks ranks;
        for (; !source.done(); source.next()) {
            const std::uint32_t rank = source.rank();
            if (marks != nullptr && !marks->may_have(rank)) continue;
            if (!std::all_of(lists.begin(), lists.end(), [rank](Postings& list) { return list.has(rank); }))
                continue;
            ranks.push_back(rank);
            if (ranks.size() < ahead()) continue;
            if (!check(ranks)) return;
            ranks.clear();
        }
        check(ranks);
    }

    // How many terms to look at together.
    [[nodiscard]] std::size_t ahead() const {
        return std::clamp<std::size_t>(k_ - terms_.size(), 8, terms_ahead);
    }

    // Takes those that answer, of rising ranks. False where the search is over.
    bool check(const Ranks& ranks) {
        return read_terms(map_, ranks.data(), ranks.size(), [this](Ranked term, std::string_view key) {
            if (!hidden_.contains(term.lex) && asked_.answers(key)) {
                terms_.push_back(term);
                return terms_.size() < k_;
            }
            exact_ = afford(term_work + key.size());
            return exact_;
        });
    }

    const Map& map_;
    const Words& words_;
    Asked& asked_;
    std::size_t k_;
    const std::unordered_set<std::uint32_t>& hidden_;
    std::uint64_t& left_;  // of the budget
    bool alone_;           // one whole word, and nothing else
    std::vector<Ranked>& terms_;
    bool exact_ = true;
};

}  // namespace

bool best_with_words(const Map& map, Asked& asked, std::size_t k,
                     const std::unordered_set<std::uint32_t>& hidden, std::uint64_t& budget,
                     std::vector<Ranked>& terms) {
    return Search(map, asked, k, hidden, budget, terms).run();
}

}  // namespace pyfastlm::term_index
