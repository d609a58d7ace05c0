// How many edits lead from a query to what was read of a term: insertions, deletions, substitutions and
// transpositions of neighbours (optimal string alignment), of code points. One step of bit operations for
// each code point read, whatever the length of the query.
//
// A state holds, for each number of edits j, the set of positions of the query that some alignment with at
// most j edits has reached; after t code points only positions t - limit ... t + limit can be among them, and
// bit e stands for t + e - limit. `swapped` holds alignments in the middle of a transposition.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pyfastlm::term_index {

constexpr int most_edits = 2;

// Eight bits for each set, `reached` from the lowest on and `swapped` above; one word, because a state is
// copied for each byte that is read.
struct EditState {
    std::uint64_t sets = 0;
    std::uint32_t read = 0;  // code points
};

template <int limit>
class Edits {
  public:
    static constexpr std::uint32_t nothing = 0xffffffff;  // no code point, and none of any query

    explicit Edits(const std::vector<std::uint32_t>& query)
        : length_(static_cast<std::int64_t>(query.size())) {
        padded_.assign(query.size() + 2 * margin, nothing);
        std::copy(query.begin(), query.end(), padded_.begin() + margin);
        short_ = padded_.size() <= 64;
        for (std::size_t i = 0; short_ && i < query.size(); ++i)
            if (query[i] < places_.size()) places_[query[i]] |= std::uint64_t{1} << (i + margin);
        for (std::int64_t read = 0; read <= length_ + limit + 1; ++read) {
            const std::int64_t end = length_ - read + limit;
            const bool near_end = end >= 0 && end <= 2 * limit;
            after_.push_back(
                {possible(read) * all_sets, near_end ? std::uint64_t{1} << (8 * limit + end) : 0});
        }
    }

    [[nodiscard]] EditState start() const {
        EditState state;
        unsigned now = 1u << limit;
        for (unsigned j = 0; j <= limit; ++j) {
            state.sets |= std::uint64_t{now} << 8 * j;
            now = (now | now << 1) & static_cast<unsigned>(after_[0].possible & 0xff);
        }
        return state;
    }

    // Calls `use` with each code point after which the state is not what it is after any other.
    template <class Use>
    void for_near(EditState from, Use use) const {
        unsigned alive = 0, positions = 0;
        for (unsigned j = 0; j <= limit; ++j) {
            if (j < limit) positions |= reached(from, j) << 2 | swapped(from, j);
            alive |= reached(from, j);
        }
        positions |= alive << 1;
        const std::uint32_t* const window = near(from);
        for (; positions != 0; positions &= positions - 1) {
            const std::uint32_t code_point = window[std::countr_zero(positions)];
            if (code_point != nothing) use(code_point);
        }
    }

    // `from` must not be dead.
    [[nodiscard]] EditState step(EditState from, std::uint32_t code_point) const {
        return step_where(from, equal_near(from, code_point));
    }

    // The step to a code point that is not near in the query.
    [[nodiscard]] EditState step_elsewhere(EditState from) const { return step_where(from, 0); }

    // No way on from here leads to the query.
    [[nodiscard]] bool dead(EditState state) const { return state.sets >> 8 * limit == 0; }

    // What was read is the query with `limit` edits at most.
    [[nodiscard]] bool accepts(EditState state) const {
        return (state.sets & after_[state.read].accepted) != 0;
    }

  private:
    static constexpr int near_positions = 2 * limit + 3;
    static constexpr std::size_t margin = 2 * limit + 2;

    // One bit in each set of `reached`.
    static constexpr std::uint64_t all_sets = 0x010101 & ((std::uint64_t{1} << 8 * (limit + 1)) - 1);

    // After so many code points: the positions that are in the query, in every set; and the bit of its end.
    struct After {
        std::uint64_t possible, accepted;
    };

    // All sets at once. A state that is not dead has read length + limit code points at most.
    [[nodiscard]] EditState step_where(EditState from, std::uint64_t equal) const {
        const std::uint64_t possible = after_[from.read + 1].possible;
        const std::uint64_t reached = from.sets & 0xff * all_sets, swapped = from.sets >> 8 * (limit + 1);
        std::uint64_t now = reached & (equal >> 1) * all_sets;
        now |= reached << 8 | reached << 7;      // a substitution, an insertion
        now |= swapped << 8 & equal * all_sets;  // the end of a transposition
        now &= possible;
        for (unsigned j = 0; j < limit; ++j)  // a deletion, and another one
            now |= (now & std::uint64_t{0xff} << 8 * j) << 9 & possible;
        const std::uint64_t begun = reached & (equal >> 2) * (all_sets >> 8);
        return {now | begun << 8 * (limit + 1), from.read + 1};
    }

    static unsigned reached(EditState state, unsigned j) {
        return static_cast<unsigned>(state.sets >> 8 * j) & 0xff;
    }
    static unsigned swapped(EditState state, unsigned j) {
        return static_cast<unsigned>(state.sets >> swapped_shift(j)) & 0xff;
    }
    static constexpr unsigned swapped_shift(unsigned j) { return 8 * (limit + 1 + j); }

    // The code points of the query at positions t - limit - 1 ... t + limit + 1, `nothing` beyond its ends.
    [[nodiscard]] const std::uint32_t* near(EditState from) const {
        return padded_.data() + from.read + margin - limit - 1;
    }

    // Bit e + 1 says that the code point is the query's at position t + e - limit, for e = -1 ... 2 limit
    // + 1.
    [[nodiscard]] unsigned equal_near(EditState from, std::uint32_t code_point) const {
        if (short_ && code_point < places_.size()) [[likely]] {
            const std::uint64_t bits = places_[code_point] >> (from.read + margin - limit - 1);
            return static_cast<unsigned>(bits) & ((1u << near_positions) - 1);
        }
        unsigned equal = 0;
        for (int e = 0; e < near_positions; ++e)
            equal |= static_cast<unsigned>(near(from)[e] == code_point) << e;
        return equal;
    }

    // The positions 0 ... length as bits of a state after `read` code points.
    [[nodiscard]] std::uint64_t possible(std::int64_t read) const {
        const std::int64_t shift = read - limit;
        const std::int64_t last = length_ - shift;
        if (last < 0) return 0;
        const unsigned all = (1u << (2 * limit + 1)) - 1;
        unsigned bits = last >= 2 * limit ? all : (1u << (last + 1)) - 1;
        if (shift < 0) bits &= all << -shift;
        return bits;
    }

    std::int64_t length_;
    std::vector<std::uint32_t> padded_;
    std::vector<After> after_;
    bool short_;
    std::array<std::uint64_t, 128>
        places_{};  // of each ASCII character in a short query, from bit `margin` on
};

// Code points from bytes, one byte at a time. A byte that UTF-8 does not allow stands for itself, beyond
// them.
class Utf8 {
  public:
    // True where `byte` completes a code point.
    bool see(unsigned char byte) {
        if (byte < 0x80) {
            state_ = byte;
            return true;
        }
        const std::uint32_t left = state_ >> 24;
        if (left > 0 && (byte & 0xc0) == 0x80) {
            state_ = (left - 1) << 24 | (value() << 6 & 0xffffff) | (byte & 0x3f);
            return left == 1;
        }
        if (byte < 0xc0 || byte >= 0xf8) {
            state_ = 0x110000u + byte;
            return true;
        }
        const std::uint32_t follow = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        state_ = follow << 24 | (byte & (0x3fu >> follow));
        return false;
    }
    [[nodiscard]] std::uint32_t value() const { return state_ & 0xffffff; }
    // Between two code points.
    [[nodiscard]] bool whole() const { return state_ < 1u << 24; }

  private:
    std::uint32_t state_ = 0;  // bytes to come in the highest eight bits, what was read in the others
};

// The byte that a code point begins with.
inline unsigned char first_byte(std::uint32_t code_point) {
    if (code_point < 0x80) return static_cast<unsigned char>(code_point);
    if (code_point < 0x800) return static_cast<unsigned char>(0xc0 | code_point >> 6);
    if (code_point < 0x10000) return static_cast<unsigned char>(0xe0 | code_point >> 12);
    if (code_point < 0x110000) return static_cast<unsigned char>(0xf0 | code_point >> 18);
    return static_cast<unsigned char>(code_point - 0x110000);
}

inline void code_points(std::string_view text, std::vector<std::uint32_t>& found) {
    found.clear();
    Utf8 utf8;
    for (const char c : text)
        if (utf8.see(static_cast<unsigned char>(c))) found.push_back(utf8.value());
}

inline std::vector<std::uint32_t> code_points(std::string_view text) {
    std::vector<std::uint32_t> found;
    code_points(text, found);
    return found;
}

}  // namespace pyfastlm::term_index
