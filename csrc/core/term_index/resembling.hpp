// What is asked about texts that resemble another, and what is answered.
#pragma once

#include <cstddef>
#include <string>

#include "core/term_index/edit_costs.hpp"

namespace pyfastlm::term_index {

// The fit of a term is a sum: `popularity` times the logarithm of its share of all scores, less `cost` times
// what it costs to write the text for it, plus `share` times the share of their trigrams that both have.
struct Weights {
    double cost, popularity, share;
};

struct Resemblance {
    std::size_t k;
    const EditCosts& costs;
    Weights weights;
    bool words;  // the words of terms answer, too
};

struct Resembling {
    std::string key;
    double score;  // of a word, the best of the terms that have it; of two, how often they meet by chance
    int edits;
    float cost, share;
    double fit;
};

}  // namespace pyfastlm::term_index
