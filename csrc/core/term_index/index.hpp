// A term index that can be changed: a file, and what was added to it and removed since. Safe for any number
// of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/term_index/fuzzy.hpp"
#include "core/term_index/map.hpp"
#include "core/term_index/resembling.hpp"
#include "core/term_index/writer.hpp"

namespace pyfastlm::term_index {

constexpr std::uint32_t no_rank = 0xffffffff;

// One term of an answer: by its rank in the file, or, where it is none of the file's or has another score, by
// its bytes.
struct Hit {
    std::uint32_t rank = no_rank;
    int edits = 0;
    double score = 0;
    std::string key;
};

struct Query {
    std::string_view text;
    std::size_t k;
    int edits;
    bool fix_first;
    Extent extent;
    std::uint64_t budget = 0;  // of Extent::words (conjunctive.hpp)
    // Of as many edits, those with fewer substitutions of keys that do not touch come first.
    const Keyboard* keyboard = nullptr;
};

// Answers side by side: [queries, k]. The id of a term is its rank in `map`, or, from map->terms() on, its
// place in `others`; -1, with a score of minus infinity, where a query has fewer answers.
struct Table {
    std::int32_t* ids;
    float* scores;
    bool* exact;  // [queries]: false where the budget ended the search, and some terms may be missing
    std::vector<std::string> others;
    std::shared_ptr<const Map> map;
};

class Index {
  public:
    explicit Index(std::shared_ptr<const Map> map) : map_(std::move(map)) {}

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::shared_ptr<const Map> map() const;

    // The best `k` terms by (edits, score descending, bytes). Returns the file that ranks belong to.
    std::shared_ptr<const Map> answer(const Query& query, std::vector<Hit>& hits) const;

    // The same for a query without edits, if nothing was changed; else returns null.
    std::shared_ptr<const Map> unchanged(std::string_view prefix, std::size_t k,
                                         std::vector<Ranked>& terms) const;

    // The same as `answer` for many texts; that of `query` is not used.
    void answers(const std::vector<std::string_view>& texts, const Query& query, int threads,
                 Table& table) const;

    // The terms that resemble each text, best fit first, and pairs of terms that it may be without the space
    // between them.
    void similar(const std::vector<std::string_view>& texts, const Resemblance& asked, int threads,
                 std::vector<std::vector<Resembling>>& found) const;

    [[nodiscard]] std::optional<double> score(std::string_view key) const;
    void add(std::string_view key, double score);
    // Whether the term was there.
    bool remove(std::string_view key);

    // Writes the terms as they are now.
    void write(Writer& writer) const;
    // Goes on with another file, which `write` made of this index; what changed since is kept beside it. From
    // one `write` to its `adopt` there must be no other.
    void adopt(std::shared_ptr<const Map> map);

  private:
    struct Change {
        std::optional<double> score;  // none: removed
    };
    using Changes = std::map<std::string, Change, std::less<>>;

    // Returns false where the budget ended the search.
    bool answer_locked(const Query& query, std::vector<Hit>& hits) const;
    bool answer_words(const Query& query, std::vector<Hit>& hits) const;
    // Orders the hits from the place `first` on, which have as many edits, and drops those after the best k.
    void order(std::size_t first, std::size_t k, std::vector<Hit>& hits) const;
    void answer_level(const Query& query, int edits, Far far, std::vector<Hit>& hits) const;
    using WordScores = std::unordered_map<std::string_view, double>;
    [[nodiscard]] WordScores changed_words() const;
    [[nodiscard]] std::optional<double> score_of_word(std::uint32_t word, std::string_view text,
                                                      const WordScores& changed) const;
    [[nodiscard]] double total_score() const;
    void similar_locked(std::string_view text, const Resemblance& asked, const WordScores& changed,
                        std::vector<Resembling>& found) const;
    void changed_hits(const Query& query, int edits, Far far, std::vector<Hit>& hits) const;
    void change(std::string_view key, std::optional<double> score);
    [[nodiscard]] std::optional<double> score_locked(std::string_view key) const;

    mutable std::shared_mutex lock_;
    std::shared_ptr<const Map> map_;
    Changes changes_;
    std::unordered_set<std::uint32_t> hidden_;  // lex numbers of the file's terms that `changes_` names
    std::int64_t gained_ = 0;                   // terms, over those of the file
    double gained_score_ = 0;                   // over the total of the file
};

}  // namespace pyfastlm::term_index
