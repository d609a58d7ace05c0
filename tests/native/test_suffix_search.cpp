// suffix_search against loops over all places of a text, whole and damaged. Buffers are exact in size, so
// that AddressSanitizer sees a step outside.
#include "core/suffix_search.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "check.hpp"

namespace {

namespace suffix_search = pyfastlm::suffix_search;
using suffix_search::Following;
using suffix_search::Searcher;

template <class Unit>
const unsigned char* bytes_of(const std::vector<Unit>& units) {
    return reinterpret_cast<const unsigned char*>(units.data());
}

// A text of two parts: the suffixes of the first go on `overlap` units into the second.
template <class Unit>
struct Text {
    Text(std::vector<Unit> text, std::size_t border, std::size_t overlap, std::optional<Unit> separator)
        : units(std::move(text)), separated_by(separator) {
        const std::size_t limit = std::min(units.size(), border + overlap);
        views[0].assign(units.begin(), units.begin() + static_cast<std::ptrdiff_t>(limit));
        views[1].assign(units.begin() + static_cast<std::ptrdiff_t>(border), units.end());
        for (const std::size_t part : {0u, 1u}) sort(part, part == 0 ? border : views[1].size());
    }

    void sort(std::size_t part, std::size_t own) {
        const std::vector<Unit>& view = views[part];
        for (std::size_t i = 0; i < own; ++i)
            if (view[i] != separated_by) suffixes[part].push_back(static_cast<std::uint32_t>(i));
        std::sort(suffixes[part].begin(), suffixes[part].end(), [&](std::uint32_t a, std::uint32_t b) {
            return std::lexicographical_compare(view.begin() + a, view.end(), view.begin() + b, view.end());
        });
        keys[part].resize((suffixes[part].size() + suffix_search::stride - 1) / suffix_search::stride);
        suffix_search::make_keys(sizeof(Unit), bytes_of(view), view.size(), suffixes[part].data(),
                                 suffixes[part].size(), keys[part].data());
    }

    [[nodiscard]] Searcher searcher() const {
        Searcher made(sizeof(Unit), separated_by);
        for (const std::size_t part : {0u, 1u})
            made.add({bytes_of(views[part]), views[part].size(), suffixes[part].data(), suffixes[part].size(),
                      keys[part].data()});
        return made;
    }

    [[nodiscard]] std::uint64_t count(const std::vector<Unit>& pattern) const {
        std::uint64_t found = 0;
        for (std::size_t i = 0; i + pattern.size() <= units.size(); ++i)
            found +=
                std::equal(pattern.begin(), pattern.end(), units.begin() + static_cast<std::ptrdiff_t>(i));
        return found;
    }

    std::vector<Unit> units;
    std::optional<Unit> separated_by;
    std::vector<Unit> views[2];
    std::vector<std::uint32_t> suffixes[2];
    std::vector<std::uint64_t> keys[2];
};

template <class Unit>
std::vector<Unit> draw(std::mt19937& random, std::size_t size, const std::vector<Unit>& from) {
    std::vector<Unit> units(size);
    for (Unit& unit : units) unit = from[random() % from.size()];
    return units;
}

template <class Unit>
void against_loops(const std::vector<Unit>& alphabet, std::optional<Unit> separator, unsigned seed) {
    std::mt19937 random(seed);
    constexpr std::size_t overlap = 30;
    std::vector<Unit> from = alphabet;
    if (separator) from.push_back(*separator);
    const Text<Unit> text(draw(random, 300 + random() % 300, from), 100 + random() % 150, overlap, separator);
    const Searcher searcher = text.searcher();

    std::vector<std::vector<Unit>> patterns;
    for (std::size_t i = 0; i < 60; ++i) {
        const std::size_t length = 1 + random() % overlap, begin = random() % (text.units.size() - length);
        if (i % 3 == 0) {
            patterns.push_back(draw(random, 1 + random() % 6, alphabet));
        } else {
            const auto at = text.units.begin() + static_cast<std::ptrdiff_t>(begin);
            patterns.emplace_back(at, at + static_cast<std::ptrdiff_t>(length));
        }
    }
    std::vector<Unit> joined;
    std::vector<std::uint64_t> starts{0}, counts(patterns.size(), 99);
    for (const auto& pattern : patterns) {
        joined.insert(joined.end(), pattern.begin(), pattern.end());
        starts.push_back(joined.size());
    }
    searcher.count_batch(bytes_of(joined), starts.data(), patterns.size(), counts.data(), 2);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const std::vector<Unit>& pattern = patterns[i];
        const bool impossible =
            separator && std::find(pattern.begin(), pattern.end(), *separator) != pattern.end();
        const std::uint64_t expected = impossible ? 0 : text.count(pattern);
        CHECK(counts[i] == expected);
        CHECK(searcher.count(bytes_of(pattern), pattern.size()) == expected);

        std::map<std::uint64_t, std::uint64_t> after;
        std::uint64_t ends = 0, expected_ends = expected;
        for (const Following& part : searcher.following(bytes_of(pattern), pattern.size())) {
            for (const auto& [unit, times] : part.units) after[unit] += times;
            ends += part.ends;
        }
        if (pattern.size() == overlap) continue;  // what follows is beyond what the first part sees
        for (const Unit unit : alphabet) {
            std::vector<Unit> more = pattern;
            more.push_back(unit);
            const std::uint64_t times = impossible ? 0 : text.count(more);
            CHECK((after.contains(unit) ? after[unit] : 0) == times);
            expected_ends -= times;
        }
        CHECK(ends == expected_ends);
    }

    const std::vector<Unit> query = draw(random, 200, from);
    std::vector<std::uint64_t> lengths(query.size(), 99), times(query.size(), 99);
    searcher.longest(bytes_of(query), query.size(), overlap, lengths.data(), times.data(), 2);
    for (std::size_t i = 0; i < query.size(); ++i) {
        std::uint64_t length = 0, found = 0;
        for (std::vector<Unit> pattern; i + pattern.size() < query.size() && pattern.size() < overlap;) {
            pattern.push_back(query[i + pattern.size()]);
            if (pattern.back() == separator || text.count(pattern) == 0) break;
            length = pattern.size(), found = text.count(pattern);
        }
        CHECK(lengths[i] == length);
        CHECK(times[i] == found);
    }
}

// Whatever suffixes and keys are, nothing outside of the text is read, and every call ends.
void damaged(unsigned seed) {
    std::mt19937 random(seed);
    const std::vector<std::uint16_t> alphabet{0, 1, 257, 65535};
    Text<std::uint16_t> text(draw(random, 500, alphabet), 200, 30, std::nullopt);
    for (auto& part : text.suffixes)
        for (std::uint32_t& suffix : part)
            if (random() % 20 == 0)
                suffix = static_cast<std::uint32_t>(random() % (random() % 3 == 0 ? 9999999 : 200));
    for (auto& part : text.keys)
        for (std::uint64_t& key : part)
            if (random() % 4 == 0) key = std::uint64_t{random()} << 32 | random();
    const Searcher searcher = text.searcher();
    const auto query = draw(random, 200, alphabet);
    std::vector<std::uint64_t> lengths(query.size()), times(query.size());
    for (std::size_t length = 1; length < 20; ++length) {
        const auto ask = [&](const auto& call) {
            try {
                call();
            } catch (const suffix_search::Damaged&) {
            }
        };
        ask([&] { (void)searcher.count(bytes_of(query), length); });
        ask([&] { (void)searcher.following(bytes_of(query), length % 3); });
        ask([&] {
            searcher.longest(bytes_of(query), query.size(), length, lengths.data(), times.data(), 2);
        });
    }
}

void edges() {
    const Text<std::uint8_t> text({7}, 1, 0, std::nullopt);  // and a second part that is empty
    const Searcher searcher = text.searcher();
    const std::vector<std::uint8_t> pattern{7, 7};
    CHECK(searcher.count(bytes_of(pattern), 1) == 1);
    CHECK(searcher.count(bytes_of(pattern), 2) == 0);
    bool refused = false;
    try {
        const Searcher none(3, std::nullopt);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    CHECK(refused);
}

}  // namespace

int main() {
    for (unsigned seed = 0; seed < 12; ++seed) {
        against_loops<std::uint8_t>({0, 1, 254, 255}, std::nullopt, seed);
        against_loops<std::uint8_t>({0, 1, 254}, std::uint8_t{255}, seed);
        against_loops<std::uint8_t>({0, 255}, std::uint8_t{3}, seed);
        against_loops<std::uint16_t>({0, 1, 256, 257, 65535}, std::nullopt, seed);
        against_loops<std::uint16_t>({0, 256, 65535}, std::uint16_t{1}, seed);
        against_loops<std::uint32_t>({0, 1, 65536, 1u << 31}, std::uint32_t{0xffffffff}, seed);
        damaged(seed);
    }
    edges();
    std::puts("suffix_search: ok");
}
