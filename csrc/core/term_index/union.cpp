#include "core/term_index/union.hpp"

#include <algorithm>

namespace pyfastlm::term_index {

Union::Union(const Words& words, const Found* found, std::size_t finds, std::uint32_t bound)
    : words_(words), bound_(bound) {
    for (std::size_t i = 0; i < finds; ++i) cover(found[i].range);
    std::make_heap(heap_.begin(), heap_.end(), worse);
}

Union::Item Union::item(int level, std::uint64_t place) const {
    const std::uint64_t rank = words_.levels()[static_cast<std::size_t>(level)][place];
    return {static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(place), level};
}

// The range as few whole subtrees.
void Union::cover(Range range) {
    std::uint64_t lo = range.lo, hi = range.hi;
    const auto levels = static_cast<int>(words_.levels().size());
    for (int level = 0;; ++level) {
        if (level + 1 == levels || hi - lo < 2 * fan) {
            for (; lo < hi; ++lo) add(item(level, lo));
            return;
        }
        for (; lo % fan != 0; ++lo) add(item(level, lo));
        for (; hi % fan != 0; --hi) add(item(level, hi - 1));
        lo /= fan, hi /= fan;
    }
}

// Puts in what lies below an item or comes after it.
void Union::open(const Item& top) {
    const std::size_t before = heap_.size();
    if (top.level > 0) {
        const std::uint64_t size = words_.levels()[static_cast<std::size_t>(top.level - 1)].size();
        const std::uint64_t first = std::uint64_t{top.place} * fan, last = std::min(first + fan, size);
        for (std::uint64_t place = first; place < last; ++place) add(item(top.level - 1, place));
    } else {
        std::uint32_t list = top.place;
        if (top.level == 0) {
            list = static_cast<std::uint32_t>(lists_.size());
            lists_.push_back(words_.postings(top.place));
        }
        if (lists_[list].next()) add({lists_[list].rank(), list, -1});
    }
    for (std::size_t end = before; end++ < heap_.size();)
        std::push_heap(heap_.begin(), heap_.begin() + static_cast<std::ptrdiff_t>(end), worse);
}

bool Union::next(std::uint32_t& rank, std::uint64_t& work) {
    while (!heap_.empty()) {
        if (work == 0) return false;
        --work;
        std::pop_heap(heap_.begin(), heap_.end(), worse);
        const Item top = heap_.back();
        heap_.pop_back();
        open(top);
        if (top.level > 0 || top.rank == last_) continue;
        rank = top.rank;
        last_ = top.rank;
        return true;
    }
    return false;
}

}  // namespace pyfastlm::term_index
