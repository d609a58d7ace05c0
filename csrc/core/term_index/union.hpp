// The ranks of the terms that have a word of some ranges: rising, and each once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/term_index/search.hpp"
#include "core/term_index/words.hpp"

namespace pyfastlm::term_index {

class Union {
  public:
    // Only ranks below `bound` are wanted. Finds must not overlap.
    Union(const Words& words, const Found* found, std::size_t finds, std::uint32_t bound);

    // The next rank, or false where none is left, or where `work` steps are not enough to find it. A step
    // costs about as much as the reading of a byte of postings or a few.
    bool next(std::uint32_t& rank, std::uint64_t& work);

  private:
    struct Item {
        std::uint32_t rank, place;
        int level;  // of Words::levels, where `place` is; -1: that of a list in `lists_`
    };
    static bool worse(const Item& a, const Item& b) { return a.rank > b.rank; }

    void cover(Range range);
    void add(Item item) {
        if (item.rank < bound_) heap_.push_back(item);
    }
    [[nodiscard]] Item item(int level, std::uint64_t place) const;
    void open(const Item& top);

    const Words& words_;
    std::uint32_t bound_;
    std::vector<Item> heap_;
    std::vector<Postings> lists_;
    std::uint64_t last_ = ~std::uint64_t{0};
};

}  // namespace pyfastlm::term_index
