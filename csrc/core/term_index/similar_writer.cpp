#include "core/term_index/similar_writer.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "core/term_index/edits.hpp"
#include "core/term_index/grams.hpp"
#include "core/term_index/packing.hpp"
#include "core/term_index/unary.hpp"

namespace pyfastlm::term_index {
namespace {

std::uint32_t length_of(std::string_view text) {
    const auto follows = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; };
    const auto bytes = static_cast<std::uint32_t>(text.size());
    return std::min(bytes - static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), follows)),
                    most_code_points);
}

// Lists of items by bucket, from (bucket, item) pairs that come twice in the same order.
template <class Item>
class Lists {
  public:
    explicit Lists(unsigned bits) : starts_((std::size_t{1} << bits) + 1) {}

    void count(std::uint32_t bucket) { ++starts_[bucket + 1]; }
    void counted(std::uint64_t before) {
        std::uint64_t sum = before;
        for (std::uint32_t& start : starts_) {
            sum += start;
            if (sum > 0xffffffff) throw std::invalid_argument("too many terms to find similar ones");
            start = static_cast<std::uint32_t>(sum);
        }
        next_.assign(starts_.begin(), starts_.end() - 1);
        items_.resize(sum - before);
        before_ = before;
    }
    void put(std::uint32_t bucket, Item item) { items_[next_[bucket]++ - before_] = item; }

    [[nodiscard]] const std::vector<std::uint32_t>& starts() const { return starts_; }
    [[nodiscard]] const std::vector<Item>& items() const { return items_; }

  private:
    std::vector<std::uint32_t> starts_, next_;
    std::vector<Item> items_;
    std::uint64_t before_ = 0;
};

}  // namespace

void write_similar(Output& out, const SimilarSections& sections, std::uint32_t count, std::uint64_t owners,
                   const std::function<std::string_view(std::uint32_t)>& text,
                   const std::function<std::uint32_t(std::uint32_t)>& owner) {
    if (count == 0) {
        for (const Section section :
             {sections.lengths, sections.owners, sections.starts, sections.texts, sections.gram_starts,
              sections.grams, sections.rest_counts, sections.rests})
            out.begin(section);
        return;
    }
    std::array<std::uint32_t, most_code_points + 2> first{};
    std::vector<std::uint8_t> lengths(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        lengths[i] = static_cast<std::uint8_t>(length_of(text(i)));
        ++first[lengths[i] + 1u];
    }
    for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    std::vector<std::uint32_t> order(count);
    auto next = first;
    for (std::uint32_t i = 0; i < count; ++i) order[next[lengths[i]]++] = i;

    out.begin(sections.lengths);
    out.write(first.data(), first.size());
    std::vector<std::uint32_t> owner_of(count);
    std::vector<std::uint64_t> starts{0};
    for (std::uint32_t place = 0; place < count; ++place) {
        owner_of[place] = owner(order[place]);
        starts.push_back(starts.back() + text(order[place]).size());
    }
    out.begin(sections.owners);
    write_packed(out, owner_of, width_of(owners));
    out.begin(sections.starts);
    write_packed(out, starts, width_of(starts.back()));
    out.begin(sections.texts);
    for (const std::uint32_t i : order) out.write(text(i));

    std::vector<std::uint64_t> hashes;
    std::vector<std::uint32_t> buckets, all_starts;
    std::vector<std::uint16_t> all_grams;
    const unsigned bits = gram_bits(count);
    for (std::uint32_t base = 0; base < count; base += group_texts) {
        const std::uint32_t end = std::min(count - base, group_texts) + base;
        Lists<std::uint16_t> lists(bits);
        const auto for_all = [&](const auto& see) {
            for (std::uint32_t place = base; place < end; ++place) {
                grams_of(code_points(text(order[place])), hashes);
                buckets_of(hashes, bits, buckets);
                for (const std::uint32_t one : buckets) see(one, static_cast<std::uint16_t>(place - base));
            }
        };
        for_all([&](std::uint32_t bucket, std::uint16_t) { lists.count(bucket); });
        lists.counted(all_grams.size());
        for_all([&](std::uint32_t bucket, std::uint16_t place) { lists.put(bucket, place); });
        all_starts.insert(all_starts.end(), lists.starts().begin(), lists.starts().end());
        all_grams.insert(all_grams.end(), lists.items().begin(), lists.items().end());
    }
    out.begin(sections.gram_starts);
    out.write(all_starts.data(), all_starts.size());
    out.begin(sections.grams);
    out.write(all_grams.data(), all_grams.size());

    const std::uint32_t short_texts = first[short_code_points + 1];
    const unsigned rest_bucket_bits = rest_bits(short_texts);
    Lists<std::uint32_t> lists(rest_bucket_bits);
    const auto for_all = [&](const auto& see) {
        for (std::uint32_t place = 0; place < short_texts; ++place) {
            rests_of(code_points(text(order[place])), hashes);
            buckets_of(hashes, rest_bucket_bits, buckets);
            for (const std::uint32_t one : buckets) see(one, place);
        }
    };
    for_all([&](std::uint32_t bucket, std::uint32_t) { lists.count(bucket); });
    lists.counted(0);
    for_all([&](std::uint32_t bucket, std::uint32_t place) { lists.put(bucket, place); });
    out.begin(sections.rest_counts);
    write_unary(out, lists.starts());
    out.begin(sections.rests);
    write_packed(out, lists.items(), width_of(short_texts));
}

}  // namespace pyfastlm::term_index
