#include "core/suffix_search.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "core/parallel.hpp"

namespace pyfastlm::suffix_search {
namespace {

constexpr std::size_t together = 32;     // searches that wait for memory at the same time
constexpr std::size_t few = 4;           // searches that have memory to themselves
constexpr std::size_t task_items = 512;  // patterns, or places of a query

template <class T>
T load(const unsigned char* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class Unit>
Unit unit_at(const unsigned char* text, std::uint64_t i) {
    return load<Unit>(text + i * sizeof(Unit));
}

// The first units as a number that compares as they do, the rest of it filled with ones or zeros.
template <class Unit>
std::uint64_t key_of(const unsigned char* text, std::uint64_t units, bool ones = false) {
    constexpr std::uint64_t most = sizeof(std::uint64_t) / sizeof(Unit);
    constexpr unsigned bits = 8 * sizeof(Unit);
    if constexpr (sizeof(Unit) == 1 && std::endian::native == std::endian::little)
        if (units >= most) return __builtin_bswap64(load<std::uint64_t>(text));
    std::uint64_t key = 0;
    for (std::uint64_t i = 0; i < most; ++i)
        key = key << bits | (i < units ? unit_at<Unit>(text, i)
                             : ones    ? static_cast<Unit>(~Unit{0})
                                       : Unit{0});
    return key;
}

// How many units two texts share that share the first `from`, of `most`.
template <class Unit>
std::uint64_t common(const unsigned char* a, const unsigned char* b, std::uint64_t from, std::uint64_t most) {
    constexpr std::uint64_t step = sizeof(std::uint64_t) / sizeof(Unit);
    while (from + step <= most) {
        const auto differ =
            load<std::uint64_t>(a + from * sizeof(Unit)) ^ load<std::uint64_t>(b + from * sizeof(Unit));
        if (differ != 0) {
            const int same = std::endian::native == std::endian::little ? std::countr_zero(differ)
                                                                        : std::countl_zero(differ);
            return from + static_cast<std::uint64_t>(same) / (8 * sizeof(Unit));
        }
        from += step;
    }
    while (from < most && unit_at<Unit>(a, from) == unit_at<Unit>(b, from)) ++from;
    return from;
}

std::uint32_t suffix_at(const Part& part, std::uint64_t place) {
    const std::uint32_t suffix = part.suffixes[place];
    if (suffix >= part.units) throw Damaged("the index is damaged: a suffix begins beyond the text");
    return suffix;
}

struct Pattern {
    const unsigned char* units;
    std::uint64_t length;
};

// One binary search: for the first suffix that is not less than the pattern or, above, for the first one that
// is greater than all that begin with it.
struct Search {
    Pattern pattern;
    bool above;
    std::uint64_t lo = 0, hi = 0;  // the place is one of lo ... hi
    // Units that the pattern is known to share with those at lo - 1 and hi.
    std::uint64_t common_lo = 0, common_hi = 0;

    [[nodiscard]] std::uint64_t middle() const { return lo + (hi - lo) / 2; }
};

struct Both {
    explicit Both(Pattern pattern) : below{pattern, false}, above{pattern, true} {}
    Search below, above;

    [[nodiscard]] Range range() const {
        if (above.lo < below.lo) throw Damaged("the index is damaged: its suffixes are in no order");
        return {below.lo, above.lo};
    }
};

template <class Unit>
void step(const Part& part, Search& search) {
    const auto& [pattern, length] = search.pattern;
    const std::uint64_t middle = search.middle();
    const std::uint64_t suffix = suffix_at(part, middle);
    const unsigned char* const text = part.text + suffix * sizeof(Unit);
    const std::uint64_t most = std::min(length, part.units - suffix);
    const std::uint64_t known = std::min({search.common_lo, search.common_hi, most});
    const std::uint64_t same = common<Unit>(pattern, text, known, most);
    const bool less = same < most ? unit_at<Unit>(text, same) < unit_at<Unit>(pattern, same)
                                  : search.above || same < length;
    if (less)
        search.lo = middle + 1, search.common_lo = same;
    else
        search.hi = middle, search.common_hi = same;
}

// Each step of all searches waits for the same two places of memory, which are asked for all at once. Few
// searches leave room to ask for both of the suffixes that the next step may need.
template <class Unit>
void run(const Part& part, std::vector<Search*>& active) {
    const auto ended = [](const Search* search) { return search->lo >= search->hi; };
    const auto prefetch = [&](std::uint64_t place) { __builtin_prefetch(part.suffixes + place); };
    for (;;) {
        std::erase_if(active, ended);
        if (active.empty()) return;
        const bool ahead = active.size() <= few;
        if (!ahead)
            for (const Search* const search : active) prefetch(search->middle());
        for (const Search* const search : active) {
            const std::uint64_t middle = search->middle();
            __builtin_prefetch(part.text + std::uint64_t{part.suffixes[middle]} * sizeof(Unit));
            if (!ahead) continue;
            prefetch(search->lo + (middle - search->lo) / 2);
            prefetch(middle + (search->hi - middle) / 2);
        }
        for (Search* const search : active) step<Unit>(part, *search);
    }
}

// How many keys are less than the pattern's, below, or no greater, above.
struct Keyed {
    std::uint64_t key;
    bool above;
    std::uint64_t place = 0;

    void skip(const std::uint64_t* keys, std::uint64_t half) {
        const std::uint64_t there = keys[place + half - 1];
        place += (above ? there <= key : there < key) ? half : 0;
    }
};

void run(const Part& part, std::vector<Keyed>& searches) {
    for (std::uint64_t left = (part.count + stride - 1) / stride; left > 0;) {
        const std::uint64_t half = (left + 1) / 2;
        left -= half;
        for (Keyed& search : searches) {
            search.skip(part.keys, half);
            __builtin_prefetch(part.keys + search.place + (left - (left > 0)) / 2);
        }
    }
}

// Narrows the searches by the keys. A suffix with a lesser key is less, and one with a greater key is greater
// than all that begin with the pattern. Equal keys say all about a pattern that fits into one, but for the up
// to 7 suffixes in which zeros stand for what an end has cut off.
template <class Unit>
void narrow(const Part& part, std::vector<Both>& both) {
    std::vector<Keyed> keyed;
    keyed.reserve(2 * both.size());
    for (const Both& one : both)
        for (const bool above : {false, true})
            keyed.push_back({key_of<Unit>(one.below.pattern.units, one.below.pattern.length, above), above});
    run(part, keyed);
    const auto after = [](std::uint64_t place) { return place > 0 ? (place - 1) * stride + 1 : 0; };
    for (std::size_t i = 0; i < both.size(); ++i) {
        auto& [below, above] = both[i];
        const std::uint64_t first = keyed[2 * i].place, last = keyed[2 * i + 1].place;
        const bool fits = below.pattern.length * sizeof(Unit) <= sizeof(std::uint64_t);
        below.lo = after(first);
        above.lo = after(fits ? last : first);
        above.hi = std::min(part.count, last * stride);
        below.hi = fits ? std::min(above.hi, first * stride + sizeof(std::uint64_t)) : above.hi;
    }
}

template <class Unit>
void search(const Part& part, std::vector<Both>& both) {
    narrow<Unit>(part, both);
    std::vector<Search*> active;
    for (Both& one : both) active.insert(active.end(), {&one.below, &one.above});
    run<Unit>(part, active);
}

// How many units of the pattern the suffix at this place begins with.
template <class Unit>
std::uint64_t shared(const Part& part, std::uint64_t place, const Pattern& pattern) {
    const std::uint64_t suffix = suffix_at(part, place);
    const std::uint64_t most = std::min(pattern.length, part.units - suffix);
    return common<Unit>(pattern.units, part.text + suffix * sizeof(Unit), 0, most);
}

// The longest beginnings of the patterns that occur in the part; and, for those no shorter than what other
// parts have, how often.
template <class Unit>
void longest_in(const Part& part, std::vector<Both>& both, std::uint64_t* lengths, std::uint64_t* counts) {
    narrow<Unit>(part, both);
    std::vector<Search*> active;
    for (Both& one : both) active.push_back(&one.below);
    run<Unit>(part, active);
    std::vector<Both> found;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < both.size(); ++i) {
        const Search& below = both[i].below;
        std::uint64_t length = 0;
        if (below.lo > 0) length = shared<Unit>(part, below.lo - 1, below.pattern);
        if (below.lo < part.count) length = std::max(length, shared<Unit>(part, below.lo, below.pattern));
        if (length == 0 || length < lengths[i]) continue;
        if (length > lengths[i]) counts[i] = 0;
        lengths[i] = length;
        found.emplace_back(Pattern{below.pattern.units, length});
        places.push_back(i);
    }
    search<Unit>(part, found);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto [begin, end] = found[i].range();
        counts[places[i]] += end - begin;
    }
}

// The unit that follows a pattern of this length at a place; nothing where the text ends.
template <class Unit>
std::optional<Unit> unit_after(const Part& part, std::uint64_t place, std::uint64_t length) {
    const std::uint64_t suffix = suffix_at(part, place);
    if (length >= part.units - suffix) return std::nullopt;
    return unit_at<Unit>(part.text, suffix + length);
}

template <class Unit>
Following following_in(const Part& part, Range range, std::uint64_t length,
                       std::optional<std::uint32_t> separator) {
    Following found;
    for (auto [begin, end] = range; begin < end;) {
        const auto unit = unit_after<Unit>(part, begin, length);
        // The first place with another unit: by steps that double, then by halves.
        std::uint64_t same = begin, other = end;
        for (std::uint64_t jump = 1; same + jump < end; jump *= 2) {
            if (unit_after<Unit>(part, same + jump, length) != unit) {
                other = same + jump;
                break;
            }
            same += jump;
        }
        while (same + 1 < other) {
            const std::uint64_t middle = same + (other - same) / 2;
            (unit_after<Unit>(part, middle, length) == unit ? same : other) = middle;
        }
        if (!unit || *unit == separator)
            found.ends += other - begin;
        else
            found.units.emplace_back(*unit, other - begin);
        begin = other;
    }
    return found;
}

// Calls function.operator()<Unit>() with the type of units of `width` bytes.
template <class Function>
auto with_unit(unsigned width, const Function& function) {
    if (width == 1) return function.template operator()<std::uint8_t>();
    if (width == 2) return function.template operator()<std::uint16_t>();
    return function.template operator()<std::uint32_t>();
}

template <class Unit>
bool has(const Pattern& pattern, std::optional<std::uint32_t> separator) {
    if (!separator) return false;
    for (std::uint64_t i = 0; i < pattern.length; ++i)
        if (unit_at<Unit>(pattern.units, i) == *separator) return true;
    return false;
}

// begin ... end - 1 of `count` items for each task, `together` of them at a time.
template <class Function>
void in_groups(std::size_t count, int threads, const Function& function) {
    parallel_for((count + task_items - 1) / task_items, threads, [&](std::size_t task) {
        const std::size_t stop = std::min(count, (task + 1) * task_items);
        for (std::size_t i = task * task_items; i < stop; i += together)
            function(i, std::min(stop, i + together));
    });
}

}  // namespace

void make_keys(unsigned width, const unsigned char* text, std::uint64_t units, const std::uint32_t* suffixes,
               std::uint64_t count, std::uint64_t* keys) {
    const Part part{text, units, suffixes, count, nullptr};
    with_unit(width, [&]<class Unit>() {
        for (std::uint64_t place = 0; place < count; place += stride) {
            const std::uint64_t suffix = suffix_at(part, place);
            keys[place / stride] = key_of<Unit>(text + suffix * sizeof(Unit), units - suffix);
        }
    });
}

Searcher::Searcher(unsigned width, std::optional<std::uint32_t> separator)
    : width_(width), separator_(separator) {
    if (width != 1 && width != 2 && width != 4)
        throw std::invalid_argument("width: expected 1, 2 or 4 bytes, got " + std::to_string(width));
}

std::vector<Range> Searcher::find(const unsigned char* units, std::uint64_t length) const {
    return with_unit(width_, [&]<class Unit>() {
        const Pattern pattern{units, length};
        std::vector<Range> ranges(parts_.size());
        if (length == 0) {
            for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i] = {0, parts_[i].count};
        } else if (!has<Unit>(pattern, separator_)) {
            std::vector<Both> both;
            for (std::size_t i = 0; i < ranges.size(); ++i) {
                both.assign(1, Both(pattern));
                search<Unit>(parts_[i], both);
                ranges[i] = both[0].range();
            }
        }
        return ranges;
    });
}

std::uint64_t Searcher::count(const unsigned char* pattern, std::uint64_t length) const {
    std::uint64_t sum = 0;
    for (const auto& [begin, end] : find(pattern, length)) sum += end - begin;
    return sum;
}

void Searcher::count_batch(const unsigned char* patterns, const std::uint64_t* starts, std::size_t count,
                           std::uint64_t* counts, int threads) const {
    std::fill_n(counts, count, 0);
    with_unit(width_, [&]<class Unit>() {
        in_groups(count, threads, [&](std::size_t begin, std::size_t end) {
            std::vector<Both> all;
            std::vector<std::size_t> places;
            for (std::size_t i = begin; i < end; ++i) {
                const Pattern pattern{patterns + starts[i] * sizeof(Unit), starts[i + 1] - starts[i]};
                if (has<Unit>(pattern, separator_)) continue;
                all.emplace_back(pattern);
                places.push_back(i);
            }
            for (const Part& part : parts_) {
                std::vector<Both> both = all;
                search<Unit>(part, both);
                for (std::size_t i = 0; i < both.size(); ++i) {
                    const auto [first, last] = both[i].range();
                    counts[places[i]] += last - first;
                }
            }
        });
    });
}

void Searcher::longest(const unsigned char* query, std::uint64_t length, std::uint64_t most,
                       std::uint64_t* lengths, std::uint64_t* counts, int threads) const {
    std::fill_n(lengths, length, 0);
    std::fill_n(counts, length, 0);
    with_unit(width_, [&]<class Unit>() {
        // Until the measuring starts, `lengths` has how far each match may go.
        std::uint64_t room = 0;
        for (std::uint64_t i = length; i-- > 0;) {
            room = separator_ && unit_at<Unit>(query, i) == *separator_ ? 0 : room + 1;
            lengths[i] = std::min(room, most);
        }
        in_groups(length, threads, [&](std::size_t begin, std::size_t end) {
            std::vector<Both> all;
            for (std::size_t i = begin; i < end; ++i)
                all.emplace_back(Pattern{query + i * sizeof(Unit), std::exchange(lengths[i], 0)});
            for (const Part& part : parts_) {
                std::vector<Both> both = all;
                longest_in<Unit>(part, both, lengths + begin, counts + begin);
            }
        });
    });
}

std::vector<Following> Searcher::following(const unsigned char* pattern, std::uint64_t length) const {
    const std::vector<Range> ranges = find(pattern, length);
    return with_unit(width_, [&]<class Unit>() {
        std::vector<Following> found;
        for (std::size_t i = 0; i < parts_.size(); ++i)
            found.push_back(following_in<Unit>(parts_[i], ranges[i], length, separator_));
        return found;
    });
}

}  // namespace pyfastlm::suffix_search
