// Whole queries from what their units may have meant: a beam over the words from left to right.
// pyfastlm/spelling/candidates/assembly.py says the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pyfastlm::spelling {

// Another text for words, or for a query: how much it is better than they are, and what it cost to write them
// for it. No score is NaN.
struct Candidate {
    std::string text;
    double score, cost;
};

// Other texts for the words `first` to `last - 1` of a query.
struct Change {
    std::size_t first, last;
    std::vector<Candidate> texts;
};

// The `width` best queries besides `query`, whose `words` they are, and this as it is with score 0; best
// first. Of two or more, the best text for all of it is one.
std::vector<Candidate> assembled(std::string_view query, const std::vector<std::string_view>& words,
                                 std::vector<Change> changes, std::size_t width);

}  // namespace pyfastlm::spelling
