// Writes the file of a term index from its terms in the order of their bytes. Memory: about 24 bytes for each
// term, whatever their lengths.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/entry.hpp"
#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"

namespace pyfastlm::term_index {

class Writer {
  public:
    // Replaces what is at `path`.
    Writer(const std::string& path, std::uint32_t normalizer);

    // Keys must rise strictly, and scores be finite. Throws std::invalid_argument.
    void push(std::string_view key, double score);

    // Writes the rest. Nothing has been synced.
    void finish();

  private:
    struct Found {
        std::uint32_t lo, hi, depth;
        unsigned char label;
        std::array<std::uint32_t, 2> light;
    };

    void end_block();
    void close_prefixes(std::size_t down_to);
    void write_ranks();
    void write_nodes(const std::vector<std::uint32_t>& ranks);
    void write_scores(const std::vector<std::uint32_t>& order);

    Output out_;
    std::uint32_t normalizer_;
    std::string last_, encoded_;
    BlockWriter block_;
    std::uint64_t longest_ = 0, key_bytes_ = 0;
    std::vector<std::uint64_t> block_starts_;
    std::vector<double> score_of_;
    // Of each prefix of the last key, "" first: the first term that has it, and its Node::light so far.
    struct Open {
        std::uint32_t lo;
        std::array<std::uint32_t, 2> light;
    };
    std::vector<Open> open_;
    std::vector<Found> found_;
    std::uint64_t distinct_scores_ = 0;
    std::uint32_t lists_ = 0;
};

}  // namespace pyfastlm::term_index
