#include "core/term_index/words.hpp"

#include "core/term_index/minima.hpp"

namespace pyfastlm::term_index {

Words::Words(const unsigned char* file) : Tree(file, word_sections) {
    const Header& header = *reinterpret_cast<const Header*>(file);
    const auto at = [&](Section section) { return file + header.parts[section].offset; };
    ranks_ = static_cast<std::uint32_t>(header.terms);
    posting_bytes_ = header.parts[term_index::postings].bytes;
    const unsigned width = width_of(ranks_);
    levels_ = levels_at(at(word_minima), terms(), width);
    levels_.insert(levels_.begin(), {at(word_best), terms(), width});
    starts_ = {at(posting_starts), std::uint64_t{terms()} + 1, width_of(posting_bytes_)};
    postings_ = at(term_index::postings);
}

std::uint64_t Words::start(std::uint32_t word) const {
    const std::uint64_t start = starts_[word];
    if (start > posting_bytes_) out_of_range(posting_starts);
    return start;
}

Postings Words::postings(std::uint32_t word) const {
    const std::uint64_t first = start(word), last = start(word + 1);
    if (first > last) out_of_range(posting_starts);
    return {best(word), postings_ + first, postings_ + last, ranks_};
}

std::uint32_t Words::best(std::uint32_t word) const { return checked(levels_[0][word], ranks_, word_best); }

std::uint64_t Words::work(Range words) const {
    const std::uint64_t first = start(words.lo), last = start(words.hi);
    if (first > last) out_of_range(posting_starts);
    return last - first + words.size();
}

}  // namespace pyfastlm::term_index
