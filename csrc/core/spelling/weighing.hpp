// Queries, and what they may have meant: candidates for all of a query and, where no name is near that, for
// its words and for neighbours that may be one word, put together.
// pyfastlm/spelling/candidates/reference.py says the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/spelling/assembly.hpp"
#include "core/spelling/lexicon.hpp"
#include "core/spelling/odds.hpp"

namespace pyfastlm::spelling {

// What is looked at, and what is changed.
struct Rules {
    std::size_t longest;     // code points of a query
    std::size_t most_words;  // of a query
    std::size_t shortest;    // code points of a text that is changed
    double known;            // log-odds against changing a word of the dictionary
    double sure;             // gain of a candidate for all of a query above which its words are not looked at
    bool (*is_letter)(std::uint32_t);
};

struct Query {
    std::vector<std::string_view> words;       // no spaces in them
    std::vector<std::string_view> of_english;  // the same in the normal form of the dictionary
};

struct Asked {
    std::size_t width;  // candidates besides the query
    double threshold;   // log-odds above which a text is changed
    double near;        // cost of a candidate for all of a query at which its words are not looked at
    int threads;
};

class Weighing {
  public:
    // `exclude`: words and queries that are never changed. Both references must outlive it.
    Weighing(const Lexicon& lexicon, const Odds& odds, const Rules& rules,
             std::unordered_set<std::string> exclude);

    // The candidates of each query and the query itself, best first.
    [[nodiscard]] std::vector<std::vector<Candidate>> weigh(const std::vector<Query>& queries,
                                                            const Asked& asked) const;

  private:
    struct Unit;
    struct State;
    class Looked;

    [[nodiscard]] bool has_letter(std::string_view text) const;
    [[nodiscard]] bool excluded(std::string_view text) const;
    [[nodiscard]] State begun(const Query& query) const;
    [[nodiscard]] std::vector<Unit> parts(const Query& query) const;
    [[nodiscard]] std::vector<Candidate> changes(const Unit& unit, const Looked& looked,
                                                 double threshold) const;

    const Lexicon& lexicon_;
    const Odds& odds_;
    Rules rules_;
    std::unordered_set<std::string> exclude_;
};

}  // namespace pyfastlm::spelling
