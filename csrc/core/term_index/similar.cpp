#include "core/term_index/similar.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>

#include "core/term_index/edits.hpp"
#include "core/term_index/osa.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::size_t compared = 192;             // texts by trigrams that are looked at more closely
constexpr std::uint64_t most_postings = 100'000;  // that are read for a query, those of its rarest trigrams,
constexpr std::size_t least_grams = 4;            // or all of so many
constexpr std::size_t most_grams = 120;           // a counter has a byte

// How far lengths may be apart.
std::uint32_t reach(std::uint32_t size) { return 2 + size / 12; }

// How many of the trigrams that are looked for a text must have.
std::uint32_t least_shared(std::size_t grams) { return static_cast<std::uint32_t>((grams * 27 + 99) / 100); }

struct Shared {
    std::uint32_t text;
    float share;  // of the trigrams of both
};

// Counts the places of one list, and notes those that come to `least` by it. Returns how many these are.
std::size_t counted(std::span<const std::uint16_t> places, std::uint32_t least,
                    std::uint8_t* __restrict counters, std::uint16_t* __restrict reached) {
    const auto enough = static_cast<std::uint8_t>(least);
    std::size_t count = 0;
    for (const std::uint16_t place : places) {
        const auto now = static_cast<std::uint8_t>(counters[place] + 1);
        counters[place] = now;
        if (now == enough) [[unlikely]]
            reached[count++] = place;
    }
    return count;
}

// The texts that share most.
class Best {
  public:
    void offer(Shared one) {
        if (one.share < worst_) return;
        kept_.push_back(one);
        if (kept_.size() == 4 * compared) shrink();
    }
    std::vector<std::uint32_t> texts() {
        if (kept_.size() > compared) shrink();
        std::vector<std::uint32_t> found;
        for (const Shared& one : kept_) found.push_back(one.text);
        return found;
    }

  private:
    void shrink() {
        std::nth_element(kept_.begin(), kept_.begin() + compared - 1, kept_.end(),
                         [](const Shared& a, const Shared& b) {
                             return a.share != b.share ? a.share > b.share : a.text < b.text;
                         });
        kept_.resize(compared);
        worst_ = kept_.back().share;
    }

    std::vector<Shared> kept_;
    float worst_ = 0;
};

void sort_once(std::vector<std::uint32_t>& numbers) {
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace

Similar::Similar(const unsigned char* file, const SimilarSections& sections) : sections_(sections) {
    const Header& header = *reinterpret_cast<const Header*>(file);
    const auto at = [&](Section section) { return file + header.parts[section].offset; };
    const auto bytes = [&](Section section) { return header.parts[section].bytes; };
    size_ = static_cast<std::uint32_t>(header.*sections.texts_count);
    owners_count_ = static_cast<std::uint32_t>(header.*sections.owners_count);
    if (size_ == 0) return;
    text_bytes_ = bytes(sections.texts);
    gram_count_ = bytes(sections.grams) / sizeof(std::uint16_t);
    lengths_ = reinterpret_cast<const std::uint32_t*>(at(sections.lengths));
    owners_ = {at(sections.owners), size_, width_of(owners_count_)};
    starts_ = {at(sections.starts), std::uint64_t{size_} + 1, width_of(text_bytes_)};
    texts_ = reinterpret_cast<const char*>(at(sections.texts));
    gram_starts_ = reinterpret_cast<const std::uint32_t*>(at(sections.gram_starts));
    grams_ = reinterpret_cast<const std::uint16_t*>(at(sections.grams));
    const std::uint32_t short_texts = first(short_code_points + 1);
    rest_bits_ = rest_bits(short_texts);
    rest_counts_ = {at(sections.rest_counts), bytes(sections.rest_counts), std::uint64_t{1} << rest_bits_};
    const unsigned width = width_of(short_texts);
    if (bytes(sections.rests) != packed_bytes(rest_counts_.items(), width)) out_of_range(sections.rests);
    rests_ = {at(sections.rests), rest_counts_.items(), width};
}

void Similar::out_of_range(Section section) {
    throw Damaged(std::string("section ") + section_names[section] + " names what is not there");
}

std::uint32_t Similar::owner(std::uint32_t text) const {
    const std::uint64_t owner = owners_[text];
    if (owner >= owners_count_) out_of_range(sections_.owners);
    return static_cast<std::uint32_t>(owner);
}

std::string_view Similar::text(std::uint32_t text) const {
    const std::uint64_t first = starts_[text], last = starts_[text + 1];
    if (first > last || last > text_bytes_) out_of_range(sections_.starts);
    return {texts_ + first, last - first};
}

std::uint32_t Similar::first(std::uint32_t length) const {
    if (lengths_[length] > size_) out_of_range(sections_.lengths);
    return lengths_[length];
}

std::span<const std::uint16_t> Similar::postings(std::uint32_t group, std::uint32_t bucket) const {
    const std::uint64_t row = (std::uint64_t{1} << gram_bits(size_)) + 1;
    const std::uint32_t* const starts = gram_starts_ + group * row + bucket;
    if (starts[0] > starts[1] || starts[1] > gram_count_ || starts[1] - starts[0] > group_texts)
        out_of_range(sections_.gram_starts);
    return {grams_ + starts[0], grams_ + starts[1]};
}

std::vector<std::uint32_t> Similar::by_rests(const CodePoints& query) const {
    if (query.size() > short_code_points + most_deleted) return {};
    std::vector<std::uint64_t> hashes;
    rests_of(query, hashes);
    std::vector<std::uint32_t> buckets;
    buckets_of(hashes, rest_bits_, buckets);
    for (const std::uint32_t bucket : buckets) rest_counts_.prefetch_block(bucket);
    for (const std::uint32_t bucket : buckets) rest_counts_.prefetch_bits(bucket);
    std::vector<Unary::Range> ranges;
    for (const std::uint32_t bucket : buckets) {
        ranges.push_back(rest_counts_[bucket]);
        if (ranges.back().end - ranges.back().begin > size_) out_of_range(sections_.rest_counts);
        rests_.prefetch(ranges.back().begin);
    }
    std::vector<std::uint32_t> found;
    for (const Unary::Range range : ranges)
        for (std::uint64_t i = range.begin; i < range.end; ++i) {
            const std::uint64_t text = rests_[i];
            if (text >= size_) out_of_range(sections_.rests);
            found.push_back(static_cast<std::uint32_t>(text));
        }
    sort_once(found);
    return found;
}

// The rarest trigrams of a query, as the buckets of their lists.
std::vector<std::uint32_t> Similar::rarest(const std::vector<std::uint64_t>& hashes,
                                           std::uint32_t first_group, std::uint32_t groups) const {
    struct List {
        std::uint64_t size;
        std::uint32_t bucket;
    };
    std::vector<std::uint32_t> buckets;
    buckets_of(hashes, gram_bits(size_), buckets);
    std::vector<List> lists;
    for (const std::uint32_t bucket : buckets) {
        List list{0, bucket};
        for (std::uint32_t group = first_group; group < groups; ++group)
            list.size += postings(group, list.bucket).size();
        lists.push_back(list);
    }
    std::sort(lists.begin(), lists.end(), [](const List& a, const List& b) {
        return a.size != b.size ? a.size < b.size : a.bucket < b.bucket;
    });
    buckets.clear();
    std::uint64_t sum = 0;
    for (const List& list : lists) {
        sum += list.size;
        if (buckets.size() == most_grams || (buckets.size() >= least_grams && sum > most_postings)) break;
        buckets.push_back(list.bucket);
    }
    return buckets;
}

std::vector<std::uint32_t> Similar::by_grams(const CodePoints& query) const {
    Best best;
    const auto size = static_cast<std::uint32_t>(query.size());
    const std::uint32_t shortest = size - std::min(size, reach(size));
    const std::uint32_t longest = std::min(size + reach(size), most_code_points);
    const std::uint32_t begin = first(shortest), end = first(longest + 1);
    if (begin >= end) return {};
    const std::uint32_t first_group = begin / group_texts, groups = (end - 1) / group_texts + 1;
    std::vector<std::uint64_t> hashes;
    grams_of(query, hashes);
    const std::vector<std::uint32_t> buckets = rarest(hashes, first_group, groups);
    const std::uint32_t least = least_shared(buckets.size());

    // A damaged file may have any number as a place, and as often as it likes: a counter that runs over comes
    // past `least` again, but no more than once for 256 postings.
    std::vector<std::uint8_t> counters(1u << 16);
    static_assert((1u << 16) + most_grams * group_texts / 256 < 1u << 17);
    const auto reached = std::make_unique_for_overwrite<std::uint16_t[]>(1u << 17);
    for (std::uint32_t group = first_group; group < groups; ++group) {
        const std::uint32_t base = group * group_texts;
        std::memset(counters.data(), 0, group_texts);
        for (const std::uint32_t bucket : buckets) __builtin_prefetch(postings(group, bucket).data());
        std::size_t count = 0;  // of texts with `least` trigrams
        for (const std::uint32_t bucket : buckets)
            count += counted(postings(group, bucket), least, counters.data(), reached.get() + count);
        std::uint32_t group_length = shortest;
        while (first(group_length + 1) <= base) ++group_length;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t text = base + reached[i];
            if (text < begin || text >= end) continue;
            std::uint32_t length = group_length;
            while (first(length + 1) <= text) ++length;
            best.offer({text, 2.0f * counters[reached[i]] / static_cast<float>(hashes.size() + length)});
        }
    }
    return best.texts();
}

std::uint32_t Similar::length(std::uint32_t text) const {
    const std::uint32_t* const after = std::upper_bound(lengths_, lengths_ + most_code_points + 1, text);
    return static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(after - lengths_, 1)) - 1;
}

std::vector<Similar::Candidate> Similar::find(const CodePoints& query, std::size_t count) const {
    std::vector<Candidate> candidates;
    if (size_ == 0 || query.empty() || query.size() > most_code_points) return candidates;
    std::vector<std::uint32_t> found = by_rests(query);
    const std::vector<std::uint32_t> shared = by_grams(query);
    found.insert(found.end(), shared.begin(), shared.end());
    sort_once(found);
    for (const std::uint32_t place : found) starts_.prefetch(place);
    for (const std::uint32_t place : found) __builtin_prefetch(texts_ + starts_[place]);

    const int most = most_edits_for(query.size());
    const Osa osa(query, most);
    CodePoints read;
    for (const std::uint32_t place : found) {
        code_points(text(place), read);
        const int edits = osa.distance(read.data(), read.size());
        if (edits <= most) candidates.push_back({place, edits, place - lengths_[length(place)]});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return std::tuple(a.edits, a.place, a.text) < std::tuple(b.edits, b.place, b.text);
    });
    if (candidates.size() > count) candidates.resize(count);
    return candidates;
}

}  // namespace pyfastlm::term_index
