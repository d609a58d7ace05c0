// How many items each of many buckets has, in unary: a zero for each item, then a one. Where items lie bucket
// by bucket, that says where those of one begin and end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/term_index/bits.hpp"
#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"

namespace pyfastlm::term_index {

// In a file: the number of items (uint64); for every `block` buckets how many items lie before them (uint32);
// the bits, in words of 64, lowest first. The number of buckets is a multiple of two blocks.
class Unary {
  public:
    static constexpr std::uint32_t block = 32;
    struct Range {
        std::uint64_t begin, end;
    };

    static std::uint64_t bytes(std::uint64_t buckets, std::uint64_t items) {
        return sizeof(std::uint64_t) + buckets / block * sizeof(std::uint32_t) + words(buckets + items) * 8;
    }

    Unary() = default;
    // Throws Damaged where `size` bytes are not what so many buckets need.
    Unary(const unsigned char* bytes_at, std::uint64_t size, std::uint64_t buckets) {
        if (size < sizeof items_) refuse();
        std::memcpy(&items_, bytes_at, sizeof items_);
        if (items_ > 0xffffffff || size != bytes(buckets, items_)) refuse();
        before_ = reinterpret_cast<const std::uint32_t*>(bytes_at + sizeof items_);
        bits_ = reinterpret_cast<const std::uint64_t*>(before_ + buckets / block);
        words_ = words(buckets + items_);
    }

    [[nodiscard]] std::uint64_t items() const { return items_; }
    void prefetch_block(std::uint32_t bucket) const { __builtin_prefetch(before_ + bucket / block); }
    void prefetch_bits(std::uint32_t bucket) const { __builtin_prefetch(bits_ + first_bit(bucket) / 64); }

    // The items of a bucket.
    Range operator[](std::uint32_t bucket) const {
        const std::uint64_t begin = behind(first_bit(bucket), bucket % block);
        const std::uint64_t end = behind(begin, 1) - 1;
        // So many bits lie before it, and a one for each bucket among them.
        const Range range{begin - bucket, end - bucket};
        if (range.begin > range.end || range.end > items_) refuse();
        return range;
    }

  private:
    [[noreturn]] static void refuse() { throw Damaged("lists of rests begin where they cannot"); }
    static constexpr std::uint64_t words(std::uint64_t bits) { return (bits + 63) / 64; }

    // That of the block of a bucket; in the words, even where a damaged file says otherwise.
    [[nodiscard]] std::uint64_t first_bit(std::uint32_t bucket) const {
        const std::uint64_t bit = std::uint64_t{before_[bucket / block]} + bucket / block * block;
        return bit < words_ * 64 ? bit : 0;
    }

    // The place behind so many ones from a bit on, or 0 where there are not so many.
    [[nodiscard]] std::uint64_t behind(std::uint64_t bit, std::uint32_t ones) const {
        if (ones == 0) return bit;
        std::uint64_t at = bit / 64;
        if (at >= words_) return 0;
        std::uint64_t word = bits_[at] & ~std::uint64_t{0} << bit % 64;
        for (std::uint32_t there; (there = count_bits(word)) < ones; ones -= there) {
            if (++at == words_) return 0;
            word = bits_[at];
        }
        for (; ones > 1; --ones) word &= word - 1;
        return at * 64 + static_cast<std::uint64_t>(std::countr_zero(word)) + 1;
    }

    std::uint64_t items_ = 0, words_ = 0;
    const std::uint32_t* before_ = nullptr;
    const std::uint64_t* bits_ = nullptr;
};

// `starts` [buckets + 1]: where the items of each bucket begin, from 0 on, and where the last ones end.
inline void write_unary(Output& out, const std::vector<std::uint32_t>& starts) {
    const std::size_t buckets = starts.size() - 1;
    const std::uint64_t items = starts.back();
    std::vector<std::uint32_t> before;
    std::vector<std::uint64_t> bits((buckets + items + 63) / 64);
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        if (bucket % Unary::block == 0) before.push_back(starts[bucket]);
        const std::uint64_t end = std::uint64_t{starts[bucket + 1]} + bucket;
        bits[end / 64] |= std::uint64_t{1} << end % 64;
    }
    out.write(&items, 1);
    out.write(before.data(), before.size());
    out.write(bits.data(), bits.size());
}

}  // namespace pyfastlm::term_index
