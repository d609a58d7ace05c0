#include "core/term_index/search.hpp"

#include <algorithm>
#include <cstring>

#include "core/term_index/least.hpp"

namespace pyfastlm::term_index {
namespace {

enum class Order { before, matches, after };

// Compares rising keys with a prefix, reading no byte twice.
class Comparison {
  public:
    explicit Comparison(std::string_view prefix) : prefix_(prefix) {}

    void start_block() { common_ = 0; }

    // All keys of the block so far must have come before the prefix.
    Order see(const Entry& entry) {
        if (entry.shared > common_) return Order::before;
        if (entry.shared < common_) return Order::after;
        std::size_t i = 0;
        while (i < entry.length && common_ < prefix_.size() && entry.suffix[i] == byte(common_))
            ++i, ++common_;
        if (common_ == prefix_.size()) return Order::matches;
        return i == entry.length || entry.suffix[i] < byte(common_) ? Order::before : Order::after;
    }

  private:
    [[nodiscard]] unsigned char byte(std::size_t i) const { return static_cast<unsigned char>(prefix_[i]); }

    std::string_view prefix_;
    std::size_t common_ = 0;  // bytes that the last key has in common with the prefix
};

// The last block that may hold the first match: its first key comes before the prefix, that of the next does
// not.
std::uint32_t first_block(const Tree& map, Range gap, std::size_t depth, std::string_view prefix) {
    std::uint32_t low = gap.lo / block_terms, high = (gap.hi - 1) / block_terms;
    while (low < high) {
        const std::uint32_t middle = low + (high - low + 1) / 2;
        const Entry head = map.block(middle).next();
        const std::size_t skipped = std::min(depth, head.length);
        const std::size_t length = std::min(head.length, prefix.size()) - skipped;
        const int order = std::memcmp(head.suffix + skipped, prefix.data() + skipped, length);
        if (order < 0 || (order == 0 && head.length < prefix.size()))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

}  // namespace

Range find_in(const Tree& map, Range gap, std::size_t depth, std::string_view prefix) {
    constexpr Range nothing{0, 0};
    if (gap.size() == 0) return nothing;
    std::uint32_t number = first_block(map, gap, depth, prefix);
    Comparison comparison(prefix);
    auto lex = static_cast<std::uint32_t>(number * block_terms);
    Entries entries = map.block(number);
    Range range{gap.hi, gap.hi};
    for (; lex < gap.hi; ++lex) {
        if (lex == (number + 1) * block_terms) {
            entries = map.block(++number);
            comparison.start_block();
        }
        const Order order = comparison.see(entries.next());
        if (order == Order::after) return nothing;
        if (order == Order::before) continue;
        range.lo = lex++;
        break;
    }
    for (; lex < gap.hi; ++lex) {
        if (lex == (number + 1) * block_terms) {
            entries = map.block(++number);
            const Entry head = entries.next();
            if (head.length < prefix.size() || std::memcmp(head.suffix, prefix.data(), prefix.size()) != 0)
                break;
        } else if (entries.next().shared < prefix.size()) {
            break;
        }
    }
    range.hi = lex;
    return range;
}

Found find(const Tree& map, std::string_view prefix) {
    Inner node = map.node(0);
    for (std::size_t depth = 0; depth < prefix.size(); ++depth) {
        Range gap{0, 0};
        const std::uint32_t number = map.child(node, static_cast<unsigned char>(prefix[depth]), gap);
        if (number == no_node) return {find_in(map, gap, depth, prefix)};
        node = map.node(number);
    }
    return {{node.lo, node.hi}, node.list};
}

std::optional<std::uint32_t> place_of(const Tree& map, std::string_view key) {
    const Range range = find(map, key).range;
    if (range.size() == 0) return std::nullopt;
    std::string first;  // of all terms that begin with the key, it would be the first
    map.key(range.lo, first);
    if (first != key) return std::nullopt;
    return range.lo;
}

BestFirst::BestFirst(const Map& map, const Found* found, std::size_t finds) : map_(map) {
    for (std::size_t i = 0; i < finds; ++i) cover(found[i].range);
    std::make_heap(heap_.begin(), heap_.end(), worse);
}

BestFirst::Item BestFirst::item(int level, std::uint64_t place) const {
    const auto at = static_cast<std::uint32_t>(place);
    if (level < 0) return {map_.rank(at), at, level};
    return {static_cast<std::uint32_t>(map_.levels()[static_cast<std::size_t>(level)][place]), at, level};
}

// The range as few whole subtrees.
void BestFirst::cover(Range range) {
    std::uint64_t lo = range.lo, hi = range.hi;
    const auto levels = static_cast<int>(map_.levels().size());
    for (int level = -1;; ++level) {
        if (level + 1 == levels || hi - lo < 2 * fan) {
            for (; lo < hi; ++lo) heap_.push_back(item(level, lo));
            return;
        }
        for (; lo % fan != 0; ++lo) heap_.push_back(item(level, lo));
        for (; hi % fan != 0; --hi) heap_.push_back(item(level, hi - 1));
        lo /= fan, hi /= fan;
    }
}

bool BestFirst::next(Ranked& term) {
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end(), worse);
        const Item top = heap_.back();
        heap_.pop_back();
        if (top.level < 0) {
            term = {top.rank, top.place};
            return true;
        }
        const int below = top.level - 1;
        const std::uint64_t size =
            below < 0 ? map_.terms() : map_.levels()[static_cast<std::size_t>(below)].size();
        const std::uint64_t first = top.place * fan, last = std::min(first + fan, size);
        for (std::uint64_t place = first; place < last; ++place) {
            heap_.push_back(item(below, place));
            std::push_heap(heap_.begin(), heap_.end(), worse);
        }
    }
    return false;
}

void best(const Map& map, const Found* found, std::size_t finds, std::size_t k, std::vector<Ranked>& terms) {
    terms.clear();
    if (k > listed) {
        BestFirst all(map, found, finds);
        for (Ranked term; terms.size() < k && all.next(term);) terms.push_back(term);
        return;
    }
    Least<std::uint64_t> least(k);  // rank, and lex below it
    for (std::size_t i = 0; i < finds; ++i) {
        const auto& [range, list] = found[i];
        if (list == no_list) {
            for (std::uint32_t lex = range.lo; lex < range.hi; ++lex)
                least.offer(std::uint64_t{map.rank(lex)} << 32 | lex);
        } else {
            std::uint32_t ranks[listed];
            const auto count = std::min(range.size(), static_cast<std::uint32_t>(k));
            map.list(list, count, ranks);
            for (std::uint32_t j = 0; j < count; ++j)
                if (!least.offer(std::uint64_t{ranks[j]} << 32 | unknown_lex)) break;
        }
    }
    terms.resize(static_cast<std::size_t>(least.end() - least.begin()));
    std::transform(least.begin(), least.end(), terms.begin(), [](std::uint64_t term) {
        return Ranked{static_cast<std::uint32_t>(term >> 32), static_cast<std::uint32_t>(term)};
    });
}

}  // namespace pyfastlm::term_index
