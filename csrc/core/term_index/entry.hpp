// A block of front-coded keys: how many bytes each shares with the one before it, and the bytes after those.
// All lengths lie together before all bytes, so that any key is found without reading through those before.
//
// Narrow: a byte `base`, at most `widest_base`, that all keys of the block share; a byte with the length of
// the first key; for each of the others a byte, shared - base above and the length of its suffix below, four
// bits each. Wide, where that does not fit: the byte `wide_mark`, and for each key both as LEB128. Then the
// bytes. A block of fewer keys ends in empty ones.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

// Where the bytes of a key are put together.
struct KeyBuffer {
    std::array<char, 320> narrow;  // 255 bytes, and what copying in steps writes after them
    std::string wide;
};

struct Entry {
    std::uint32_t shared, length;  // `length` of the suffix
    const unsigned char* suffix;
};

class Block {
  public:
    static constexpr std::uint32_t widest_base = 240, wide_mark = 255, lengths_at = 2;
    static constexpr std::ptrdiff_t narrow_head = lengths_at + block_terms - 1;

    // After `end`, `spare_bytes` more must be there to read. Throws Damaged where the block goes beyond its
    // end, or a key shares more than there is.
    Block(const unsigned char* at, const unsigned char* end) {
        if (end - at < narrow_head || *at > widest_base) [[unlikely]]
            read_wide(at, end);
        else
            read_narrow(at, end);
    }

    // The first key of such a block.
    static std::string_view first(const unsigned char* at, const unsigned char* end) {
        if (end - at >= narrow_head && *at <= widest_base && at[1] <= end - at - narrow_head) [[likely]]
            return {reinterpret_cast<const char*>(at + narrow_head), at[1]};
        const Entry entry = Block(at, end)[0];
        return {reinterpret_cast<const char*>(entry.suffix), entry.length};
    }

    [[nodiscard]] Entry operator[](std::uint32_t i) const {
        if (wide_ != nullptr) [[unlikely]]
            return (*wide_)[i];
        if (i == 0) return {0, first_, bytes_};
        return {shared(i), byte(lengths_, i), bytes_ + first_ + byte(starts_, i)};
    }
    [[nodiscard]] std::uint32_t shared(std::uint32_t i) const {
        if (wide_ != nullptr) [[unlikely]]
            return (*wide_)[i].shared;
        return i == 0 ? 0 : base_ + byte(shared_, i);
    }

    // The first key after this one that shares at most so much with the key before it; `block_terms` where
    // there is none.
    [[nodiscard]] std::uint32_t next_at_most(std::uint32_t i, std::uint32_t most) const {
        if (wide_ != nullptr) [[unlikely]] {
            do ++i;
            while (i < block_terms && (*wide_)[i].shared > most);
            return i;
        }
        if (most < base_) return block_terms;
        const std::uint64_t bound = std::min<std::uint64_t>(most - base_, 15) | 0x80;
        const Bytes fits{(bound * ones - shared_[0]) & 0x80 * ones,
                         (bound * ones - shared_[1]) & 0x80 * ones};
        ++i;
        if (i < 8)
            if (const std::uint64_t left = fits[0] >> 8 * i << 8 * i)
                return static_cast<std::uint32_t>(std::countr_zero(left)) / 8;
        const std::uint32_t after = i < 8 ? 0 : i - 8;
        const std::uint64_t left = after == 8 ? 0 : fits[1] >> 8 * after << 8 * after;
        return 8 + static_cast<std::uint32_t>(std::countr_zero(left)) / 8;
    }

    // The bytes of one key.
    [[nodiscard]] std::string_view key(std::uint32_t i, KeyBuffer& buffer) const {
        if (wide_ != nullptr) [[unlikely]]
            return wide_key(i, buffer.wide);
        // Each key over the one before it. What a step copies too much, the next ones overwrite, or it lies
        // beyond the end.
        char* const to = buffer.narrow.data();
        for (std::uint32_t at = 0; at < first_; at += head_step) std::memcpy(to + at, bytes_ + at, head_step);
        if (i == 0) return {to, first_};
        const unsigned char* const from = bytes_ + first_;
        std::uint64_t shared = shared_[0] >> 8, starts = starts_[0] >> 8;
        for (std::uint32_t j = 1; j < i; ++j) {
            std::memcpy(to + base_ + (shared & 0xff), from + (starts & 0xff), step);
            shared >>= 8, starts >>= 8;
            if (j == 7) shared = shared_[1], starts = starts_[1];
        }
        std::memcpy(to + base_ + (shared & 0xff), from + (starts & 0xff), step);
        return {to, base_ + (shared & 0xff) + byte(lengths_, i)};
    }

  private:
    using Bytes = std::array<std::uint64_t, 2>;  // one for each key, the lowest of the first number first
    using Wide = std::array<Entry, block_terms>;
    static constexpr std::uint64_t ones = 0x0101010101010101;
    static constexpr std::uint32_t step = 16, head_step = 32;
    static_assert(head_step <= spare_bytes && block_terms == 16);

    static std::uint32_t byte(const Bytes& of, std::uint32_t i) {
        return static_cast<std::uint32_t>(of[i / 8] >> i % 8 * 8) & 0xff;
    }
    // Each byte moves to the next key.
    static Bytes next(const Bytes& of) { return {of[0] << 8, of[1] << 8 | of[0] >> 56}; }

    void read_narrow(const unsigned char* at, const unsigned char* end) {
        base_ = at[0], first_ = at[1];
        Bytes heads;
        std::memcpy(heads.data(), at + 1, sizeof heads);
        heads[0] &= ~std::uint64_t{0xff};  // the length of the first key, which may have eight bits
        lengths_ = {heads[0] & 0x0f * ones, heads[1] & 0x0f * ones};
        shared_ = {heads[0] >> 4 & 0x0f * ones, heads[1] >> 4 & 0x0f * ones};
        Bytes ends{lengths_[0] * ones, lengths_[1] * ones};  // sums of the lengths so far
        ends[1] += (ends[0] >> 56) * ones;
        starts_ = next(ends);
        bytes_ = at + narrow_head;
        if (static_cast<std::ptrdiff_t>(first_ + (ends[1] >> 56)) > end - bytes_) [[unlikely]]
            throw_short();
        const Bytes before = next({shared_[0] + lengths_[0], shared_[1] + lengths_[1]});
        const std::uint64_t enough = ((before[0] | 0x80 * ones) - shared_[0]) >> 16 << 16 |
                                     ((0x80 * ones) & 0xffff);  // two compare with the first key
        if ((enough & ((before[1] | 0x80 * ones) - shared_[1]) & 0x80 * ones) != 0x80 * ones ||
            base_ + byte(shared_, 1) > first_) [[unlikely]]
            throw_shared();
    }

    void read_wide(const unsigned char* at, const unsigned char* end) {
        if (end - at < 1 || end - at > 0xffffffff || *at++ != wide_mark) throw_short();
        const auto number = [&at, end] {
            std::uint64_t value = 0;
            for (unsigned shift = 0; shift < 35 && at != end; shift += 7) {
                const unsigned char byte = *at++;
                value |= std::uint64_t{byte & 0x7fu} << shift;
                if (byte < 0x80) return value;
            }
            throw Damaged("a length of a key does not end");
        };
        wide_ = std::make_unique<Wide>();
        std::uint64_t previous = 0, all = 0;
        for (Entry& entry : *wide_) {
            const std::uint64_t shared = number(), length = number();
            if (shared > previous) throw_shared();
            previous = shared + length, all += length;
            if (all > static_cast<std::uint64_t>(end - at)) throw_short();
            entry = {static_cast<std::uint32_t>(shared), static_cast<std::uint32_t>(length), nullptr};
        }
        if (all > static_cast<std::uint64_t>(end - at)) throw_short();
        for (Entry& entry : *wide_) {
            entry.suffix = at;
            at += entry.length;
        }
    }

    // From the end on, each byte comes from the last key that has it.
    [[nodiscard]] std::string_view wide_key(std::uint32_t i, std::string& to) const {
        std::size_t end = std::size_t{(*wide_)[i].shared} + (*wide_)[i].length;
        to.resize(end);
        for (std::size_t j = i + 1; j-- > 0;) {
            const Entry& entry = (*wide_)[j];
            if (entry.shared >= end) continue;
            std::memcpy(to.data() + entry.shared, entry.suffix, end - entry.shared);
            end = entry.shared;
        }
        return to;
    }

    [[noreturn]] static void throw_short() { throw Damaged("a block of keys is longer than its place"); }
    [[noreturn]] static void throw_shared() { throw Damaged("a key shares more than there is"); }

    const unsigned char* bytes_ = nullptr;
    std::uint32_t base_ = 0, first_ = 0;
    Bytes shared_{}, lengths_{}, starts_{};  // of the first key 0; shared without the base
    std::unique_ptr<Wide> wide_;
};

class BlockWriter {
  public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool full() const { return count_ == block_terms; }

    // The first key of a block shares nothing.
    void add(std::size_t shared, std::string_view suffix) {
        shared_[count_] = shared;
        lengths_[count_++] = suffix.size();
        bytes_.append(suffix);
    }

    void finish(std::string& to) {
        std::size_t base = Block::widest_base, most = 0, longest = 0;
        for (std::size_t i = 1; i < count_; ++i) {
            base = std::min(base, shared_[i]);
            most = std::max(most, shared_[i]);
            longest = std::max(longest, lengths_[i]);
        }
        if (count_ == 1) base = 0;
        const auto put = [&to](std::size_t byte) { to.push_back(static_cast<char>(byte)); };
        if (lengths_[0] <= 255 && longest <= 15 && most <= base + 15) {
            put(base);
            put(lengths_[0]);
            for (std::size_t i = 1; i < block_terms; ++i)
                put(i < count_ ? (shared_[i] - base) << 4 | lengths_[i] : 0);
        } else {
            put(Block::wide_mark);
            for (std::size_t i = 0; i < block_terms; ++i)
                for (std::size_t value : {i < count_ ? shared_[i] : 0, i < count_ ? lengths_[i] : 0}) {
                    for (; value >= 0x80; value >>= 7) put((value & 0x7f) | 0x80);
                    put(value);
                }
        }
        to.append(bytes_);
        bytes_.clear();
        count_ = 0;
    }

  private:
    std::array<std::size_t, block_terms> shared_, lengths_;
    std::size_t count_ = 0;
    std::string bytes_;
};

}  // namespace pyfastlm::term_index
