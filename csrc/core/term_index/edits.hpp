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
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pyfastlm::term_index {

constexpr int most_edits = 2;

template <int limit>
struct EditState {
    std::array<std::uint8_t, limit + 1> reached{};
    std::array<std::uint8_t, limit> swapped{};
    std::uint32_t read = 0;  // code points
};

template <int limit>
class Edits {
  public:
    using State = EditState<limit>;
    static constexpr std::uint32_t nothing = 0xffffffff;  // no code point, and none of any query
    static constexpr int near_positions = 2 * limit + 3;

    explicit Edits(const std::vector<std::uint32_t>& query) : length_(static_cast<std::int64_t>(query.size())) {
        padded_.assign(query.size() + 2 * margin, nothing);
        std::copy(query.begin(), query.end(), padded_.begin() + margin);
        short_ = padded_.size() <= 64;
        for (std::size_t i = 0; short_ && i < query.size(); ++i)
            if (query[i] < places_.size()) places_[query[i]] |= std::uint64_t{1} << (i + margin);
    }

    [[nodiscard]] State start() const {
        State state;
        unsigned reached = 1u << limit;
        for (std::uint8_t& positions : state.reached) {
            positions = static_cast<std::uint8_t>(reached);
            reached = (reached | reached << 1) & possible(0);
        }
        return state;
    }

    // The code points of the query that could come next, and `nothing` beyond its ends.
    [[nodiscard]] const std::uint32_t* near(const State& from) const {
        return padded_.data() + from.read + margin - limit - 1;
    }

    // `from` must not be dead.
    [[nodiscard]] State step(const State& from, std::uint32_t code_point) const {
        const unsigned equal = equal_near(from, code_point);
        State to;
        to.read = from.read + 1;
        const unsigned allowed = possible(to.read);
        unsigned fewer_before = 0, fewer_now = 0, swapped_before = 0;
        for (std::size_t j = 0; j <= limit; ++j) {
            const unsigned before = from.reached[j];
            unsigned now = before & equal >> 1;
            now |= fewer_before | fewer_before >> 1;  // a substitution, an insertion
            now |= fewer_now << 1;                    // a deletion
            now |= swapped_before & equal;            // the end of a transposition
            now &= allowed;
            to.reached[j] = static_cast<std::uint8_t>(now);
            if (j < limit) {
                to.swapped[j] = static_cast<std::uint8_t>(before & equal >> 2);
                swapped_before = from.swapped[j];
            }
            fewer_before = before, fewer_now = now;
        }
        return to;
    }

    // No way on from here leads to the query.
    [[nodiscard]] bool dead(const State& state) const {
        unsigned any = state.reached[limit];
        for (const unsigned positions : state.swapped) any |= positions;
        return any == 0;
    }

    // What was read is the query with `limit` edits at most.
    [[nodiscard]] bool accepts(const State& state) const {
        const std::int64_t e = length_ - state.read + limit;
        return e >= 0 && e <= 2 * limit && (state.reached[limit] >> e & 1) != 0;
    }

  private:
    static constexpr std::size_t margin = 2 * limit + 2;

    // Bit e + 1 says that the code point is the query's at position t + e - limit, for e = -1 ... 2 limit + 1.
    [[nodiscard]] unsigned equal_near(const State& from, std::uint32_t code_point) const {
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
    [[nodiscard]] unsigned possible(std::uint32_t read) const {
        const std::int64_t shift = static_cast<std::int64_t>(read) - limit;
        const std::int64_t last = length_ - shift;
        if (last < 0) return 0;
        const unsigned all = (1u << (2 * limit + 1)) - 1;
        unsigned bits = last >= 2 * limit ? all : (1u << (last + 1)) - 1;
        if (shift < 0) bits &= all << -shift;
        return bits;
    }

    std::int64_t length_;
    std::vector<std::uint32_t> padded_;
    bool short_;
    std::array<std::uint64_t, 128> places_{};  // of each ASCII character in a short query, from bit `margin` on
};

// Code points from bytes, one byte at a time. A byte that UTF-8 does not allow stands for itself, beyond
// them.
class Utf8 {
  public:
    // True where `byte` completes a code point.
    bool see(unsigned char byte) {
        if (left_ > 0 && (byte & 0xc0) == 0x80) {
            value_ = value_ << 6 | (byte & 0x3f);
            return --left_ == 0;
        }
        if (byte < 0x80) {
            value_ = byte;
        } else if (byte >= 0xc0 && byte < 0xf8) {
            left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
            value_ = byte & (0x3fu >> left_);
            return false;
        } else {
            value_ = 0x110000u + byte;
        }
        left_ = 0;
        return true;
    }
    [[nodiscard]] std::uint32_t value() const { return value_; }
    // Between two code points.
    [[nodiscard]] bool whole() const { return left_ == 0; }

  private:
    std::uint32_t value_ = 0;
    int left_ = 0;
};

// The byte that a code point begins with.
inline unsigned char first_byte(std::uint32_t code_point) {
    if (code_point < 0x80) return static_cast<unsigned char>(code_point);
    if (code_point < 0x800) return static_cast<unsigned char>(0xc0 | code_point >> 6);
    if (code_point < 0x10000) return static_cast<unsigned char>(0xe0 | code_point >> 12);
    if (code_point < 0x110000) return static_cast<unsigned char>(0xf0 | code_point >> 18);
    return static_cast<unsigned char>(code_point - 0x110000);
}

inline std::vector<std::uint32_t> code_points(std::string_view text) {
    std::vector<std::uint32_t> found;
    Utf8 utf8;
    for (const char c : text)
        if (utf8.see(static_cast<unsigned char>(c))) found.push_back(utf8.value());
    return found;
}

}  // namespace pyfastlm::term_index
