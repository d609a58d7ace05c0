// Searching a text by its suffix array: how often a pattern occurs and where, the longest match that begins
// at each place of a query, and what follows a pattern. Whatever the numbers of the array are, nothing
// outside of the text is ever read: one that points nowhere throws Damaged.
//
// A text consists of units of 1, 2 or 4 bytes, which compare as unsigned numbers. An end compares as less
// than every unit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace pyfastlm::suffix_search {

constexpr std::uint64_t stride = 64;  // suffixes for each key

// A stretch of the text with the suffixes that begin in it. They go on to the end of `text`, which may have
// more units than suffixes: those of the next stretch, or such as no pattern begins with.
struct Part {
    const unsigned char* text;
    std::uint64_t units;
    const std::uint32_t* suffixes;  // [count]: where each begins, in the order of the suffixes
    std::uint64_t count;
    const std::uint64_t* keys;  // [ceil(count / stride)]: the key of every `stride`th, from the first on
};

// The first 8 bytes of each `stride`th suffix, as a number that compares as they do; zeros after an end.
void make_keys(unsigned width, const unsigned char* text, std::uint64_t units, const std::uint32_t* suffixes,
               std::uint64_t count, std::uint64_t* keys);

// Places in the suffix array: begin, and the first one beyond.
using Range = std::pair<std::uint64_t, std::uint64_t>;

struct Following {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> units;  // each different one, rising, with its count
    std::uint64_t ends = 0;  // how often a document, or the text, ended there
};

class Searcher {
  public:
    // `separator`: the unit that stands between documents and in none of them. No pattern has it, and no
    // match goes over it.
    Searcher(unsigned width, std::optional<std::uint32_t> separator);

    void add(const Part& part) { parts_.push_back(part); }

    // Where `pattern` of `length` > 0 units lies in the suffixes of each part.
    [[nodiscard]] std::vector<Range> find(const unsigned char* pattern, std::uint64_t length) const;
    [[nodiscard]] std::uint64_t count(const unsigned char* pattern, std::uint64_t length) const;

    // Pattern i has the units starts[i] ... starts[i + 1] - 1 of `patterns`, one or more.
    void count_batch(const unsigned char* patterns, const std::uint64_t* starts, std::size_t patterns_count,
                     std::uint64_t* counts, int threads) const;

    // For each of the `length` units of `query`: how many from there on occur in the text, `most` at most,
    // and how often that many do; 0 and 0 where not even the first one does.
    void longest(const unsigned char* query, std::uint64_t length, std::uint64_t most, std::uint64_t* lengths,
                 std::uint64_t* counts, int threads) const;

    // What follows the occurrences of `pattern`, which may have no units. One for each part.
    [[nodiscard]] std::vector<Following> following(const unsigned char* pattern, std::uint64_t length) const;

  private:
    unsigned width_;
    std::optional<std::uint32_t> separator_;
    std::vector<Part> parts_;
};

struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace pyfastlm::suffix_search
