#include "core/term_index/search.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include "core/term_index/least.hpp"

namespace pyfastlm::term_index {
namespace {

enum class Order { before, matches, after };

// Compares rising keys with a prefix, reading no byte twice. Those seen so far must have come before it.
class Comparison {
  public:
    // The first key of all, and of each block, has the first `depth` bytes of the prefix.
    Comparison(std::string_view prefix, std::size_t depth) : prefix_(prefix), depth_(depth) {}

    Order first(const Entry& entry) {
        if (entry.shared > depth_ || depth_ - entry.shared > entry.length)
            throw Damaged("a key is shorter than its prefix");
        common_ = depth_;
        return compare(entry, depth_ - entry.shared);
    }

    // The next key that shares at most `common` bytes with the one before it; those between come before, too.
    Order next(const Entry& entry) {
        if (entry.shared < common_) return Order::after;
        return compare(entry, 0);
    }

    // How many bytes the last key has in common with the prefix.
    [[nodiscard]] std::uint32_t common() const { return static_cast<std::uint32_t>(common_); }

  private:
    Order compare(const Entry& entry, std::size_t i) {
        while (i < entry.length && common_ < prefix_.size() && entry.suffix[i] == byte(common_))
            ++i, ++common_;
        if (common_ == prefix_.size()) return Order::matches;
        return i == entry.length || entry.suffix[i] < byte(common_) ? Order::before : Order::after;
    }
    [[nodiscard]] unsigned char byte(std::size_t i) const { return static_cast<unsigned char>(prefix_[i]); }

    std::string_view prefix_;
    std::size_t depth_;
    std::size_t common_ = 0;
};

// The last block that may hold the first match: its first key comes before the prefix, that of the next does
// not.
std::uint32_t first_block(const Tree& map, Range gap, std::size_t depth, std::string_view prefix) {
    std::uint32_t low = gap.lo / block_terms, high = (gap.hi - 1) / block_terms;
    while (low < high) {
        const std::uint32_t middle = low + (high - low + 1) / 2;
        const std::string_view head = map.first_key(middle);
        const std::size_t skipped = std::min(depth, head.size());
        if (head.substr(skipped) < prefix.substr(skipped))
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
    Comparison comparison(prefix, depth);
    auto lex = std::max(gap.lo, static_cast<std::uint32_t>(number * block_terms));
    Block block = map.block(number);
    Order order = comparison.first(block[lex % block_terms]);
    while (order == Order::before) {
        lex = number * block_terms + block.next_at_most(lex % block_terms, comparison.common());
        if (lex >= gap.hi) return nothing;
        if (lex % block_terms == 0) {
            block = map.block(++number);
            order = comparison.first(block[0]);
        } else {
            order = comparison.next(block[lex % block_terms]);
        }
    }
    if (order == Order::after) return nothing;
    const std::uint32_t first = lex;
    const auto most = static_cast<std::uint32_t>(prefix.size() - 1);
    for (;;) {
        lex = number * block_terms + block.next_at_most(lex % block_terms, most);
        if (lex >= gap.hi) return {first, gap.hi};
        if (lex % block_terms != 0 || map.first_key(++number).substr(0, prefix.size()) != prefix)
            return {first, lex};
        block = map.block(number);
    }
}

namespace {

// How far the nodes lead on the way of a prefix: to all that is to be found, or to a gap to look for it in.
struct Way {
    Found found;
    Range gap{0, 0};
    std::size_t depth;
};

Way way_of(const Tree& map, std::string_view prefix) {
    const auto byte = [prefix](std::size_t i) { return static_cast<unsigned char>(prefix[i]); };
    auto [number, first] = map.first_node(prefix);
    std::size_t depth = first;
    for (; depth < prefix.size(); ++depth) {
        map.prefetch_node(number);  // it may be the last one
        const std::uint32_t next = map.child(number, byte(depth));
        if (next == no_node) break;
        number = next;
    }
    const Inner node = map.node(number);
    if (depth == prefix.size()) return {{{node.lo, node.hi}, node.list}, {0, 0}, depth};
    return {{}, map.gap(node, byte(depth)), depth};
}

}  // namespace

Found find(const Tree& map, std::string_view prefix) {
    const Way way = way_of(map, prefix);
    return way.gap.size() == 0 ? way.found : Found{find_in(map, way.gap, way.depth, prefix)};
}

Found find(const Map& map, std::string_view prefix) {
    const Way way = way_of(map, prefix);
    if (way.gap.size() == 0) return way.found;
    // Of one prefix, all blocks that the search may come to; many side by side have enough to wait for.
    map.prefetch_rank(way.gap.lo);
    map.prefetch_rank(way.gap.hi - 1);
    const std::uint32_t number = way.gap.lo / block_terms, last = (way.gap.hi - 1) / block_terms;
    for (std::uint32_t i = 0; i < 8 && number + i <= last; ++i) map.prefetch_block(number + i);
    return {find_in(map, way.gap, way.depth, prefix)};
}

void find(const Map& map, const std::string_view* prefixes, std::size_t count, Found* found) {
    for (; count > together; prefixes += together, found += together, count -= together)
        find(map, prefixes, together, found);
    struct Way {
        std::uint32_t node, depth;
        Range gap;
    };
    std::array<Way, together> ways;
    std::array<std::uint32_t, together> left;  // those that may go further down
    std::size_t many = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::tie(ways[i].node, ways[i].depth) = map.first_node(prefixes[i]);
        left[many] = i;
        many += ways[i].depth < prefixes[i].size();
    }
    const auto next_byte = [&](std::uint32_t i) {
        return static_cast<unsigned char>(prefixes[i][ways[i].depth]);
    };
    while (many > 0) {
        const std::size_t before = std::exchange(many, 0);
        for (std::size_t j = 0; j < before; ++j) {
            const std::uint32_t i = left[j], node = map.child(ways[i].node, next_byte(i));
            if (node == no_node) continue;
            ways[i].node = node;
            left[many] = i;
            many += ++ways[i].depth < prefixes[i].size();
        }
    }
    for (std::size_t i = 0; i < count; ++i) map.prefetch_node(ways[i].node);
    for (std::uint32_t i = 0; i < count; ++i) {
        const Inner node = map.node(ways[i].node);
        if (ways[i].depth == prefixes[i].size()) {
            found[i] = {{node.lo, node.hi}, node.list};
            ways[i].gap = {0, 0};
            if (node.list != no_list)
                map.prefetch_list(node.list);
            else
                map.prefetch_rank(node.lo);
            continue;
        }
        found[i] = {};
        const Range gap = ways[i].gap = map.gap(node, next_byte(i));
        if (gap.size() == 0) continue;
        map.prefetch_rank(gap.lo);
        map.prefetch_block(gap.lo / block_terms);
    }
    for (std::size_t i = 0; i < count; ++i)
        if (ways[i].gap.size() > 0) found[i] = {find_in(map, ways[i].gap, ways[i].depth, prefixes[i])};
}

std::optional<std::uint32_t> place_of(const Tree& map, std::string_view key) {
    const Range range = find(map, key).range;
    if (range.size() == 0) return std::nullopt;
    KeyBuffer buffer;  // of all terms that begin with the key, it would be the first
    if (map.key(range.lo, buffer) != key) return std::nullopt;
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

namespace {

// The terms of a range of `room` at most, sorted. Each term's place is counted: no branch has to be guessed.
template <std::uint32_t room>
void best_of_few(const Map& map, Range range, std::size_t k, std::vector<Ranked>& terms) {
    std::array<std::int32_t, room> ranks;
    ranks.fill(static_cast<std::int32_t>(most_terms));
    const std::uint32_t size = range.size();
    for (std::uint32_t i = 0; i < size; ++i) ranks[i] = static_cast<std::int32_t>(map.rank(range.lo + i));
    std::array<Ranked, room + 1> sorted{};  // of a damaged file, two can have the same rank
    for (std::uint32_t i = 0; i < size; ++i) {
        const std::int32_t rank = ranks[i];
        std::int32_t place = 0;
        for (const std::int32_t other : ranks) place += other < rank;
        sorted[static_cast<std::uint32_t>(place)] = {static_cast<std::uint32_t>(rank), range.lo + i};
    }
    terms.assign(sorted.begin(),
                 sorted.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(size, k)));
}

}  // namespace

void best(const Map& map, const Found* found, std::size_t finds, std::size_t k, std::vector<Ranked>& terms) {
    if (finds == 1 && found->list == no_list && found->range.size() <= 32) {
        const Range range = found->range;
        if (range.size() <= 8) return best_of_few<8>(map, range, k, terms);
        if (range.size() <= 16) return best_of_few<16>(map, range, k, terms);
        return best_of_few<32>(map, range, k, terms);
    }
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
