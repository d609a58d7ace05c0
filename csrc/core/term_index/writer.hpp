// Writes the file of a term index from its terms in the order of their bytes. Memory: about 24 bytes for each
// term, whatever their lengths, and what word_writer.hpp says for those that have a space.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"
#include "core/term_index/texts.hpp"
#include "core/term_index/tree_writer.hpp"
#include "core/term_index/word_writer.hpp"

namespace pyfastlm::term_index {

class Writer {
  public:
    // Replaces what is at `path`. `similar`: terms can be asked for that resemble a text; all of them are
    // held in memory for that.
    Writer(const std::string& path, std::uint32_t normalizer, bool similar);

    // Keys must rise strictly, and scores be finite. Throws std::invalid_argument.
    void push(std::string_view key, double score);

    // Writes the rest. Nothing has been synced.
    void finish();

  private:
    void write_ranks();
    void write_nodes(const std::vector<std::uint32_t>& ranks);
    void write_scores(const std::vector<std::uint32_t>& order);

    Output out_;
    std::uint32_t normalizer_;
    TreeWriter tree_;
    WordWriter words_;
    bool similar_;
    Texts texts_;  // the terms by their lex numbers, where `similar_`
    std::vector<double> score_of_;
    std::uint64_t distinct_scores_ = 0;
    std::uint32_t lists_ = 0;
};

}  // namespace pyfastlm::term_index
