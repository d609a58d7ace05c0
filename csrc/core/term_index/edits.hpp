// How many edits lead from a query to what was read of a term: insertions, deletions, substitutions and
// transpositions of neighbours (optimal string alignment), of code points. One step of bit operations for
// each code point read, whatever the length of the query.
//
// A state holds, for each number of edits j, the set of positions of the query that some alignment with at
// most j edits has reached; after t code points only positions t - limit ... t + limit can be among them, and
// bit e stands for t + e - limit. `swapped` holds alignments in the middle of a transposition.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pyfastlm::term_index {

constexpr int most_edits = 2;

struct EditState {
    std::array<std::uint8_t, most_edits + 1> reached{};
    std::array<std::uint8_t, most_edits> swapped{};
    std::uint32_t read = 0;  // code points
};

class Edits {
  public:
    Edits(const std::vector<std::uint32_t>& query, int limit)
        : limit_(limit), length_(static_cast<std::int64_t>(query.size())) {
        const auto margin = static_cast<std::size_t>(2 * limit + 2);
        padded_.assign(query.size() + 2 * margin, nothing);
        for (std::size_t i = 0; i < query.size(); ++i) padded_[margin + i] = query[i];
        start_ = padded_.data() + margin;
    }
    Edits(const Edits&) = delete;
    Edits& operator=(const Edits&) = delete;

    [[nodiscard]] EditState start() const {
        EditState state;
        unsigned reached = 1u << limit_;
        for (int j = 0; j <= limit_; ++j) {
            state.reached[static_cast<std::size_t>(j)] = static_cast<std::uint8_t>(reached);
            reached = (reached | reached << 1) & possible(0);
        }
        return state;
    }

    // `from` must not be dead.
    [[nodiscard]] EditState step(const EditState& from, std::uint32_t code_point) const {
        // Bit e + 1 says that the code point is the query's at position t + e - limit, for e = -1 ... 2 limit
        // + 1.
        unsigned equal = 0;
        const std::uint32_t* const window = start_ + from.read - limit_ - 1;
        for (int e = 0; e < 2 * limit_ + 3; ++e) equal |= static_cast<unsigned>(window[e] == code_point) << e;

        EditState to;
        to.read = from.read + 1;
        const unsigned allowed = possible(to.read);
        unsigned fewer_before = 0, fewer_now = 0, swapped_before = 0;
        for (int j = 0; j <= limit_; ++j) {
            const unsigned before = from.reached[static_cast<std::size_t>(j)];
            unsigned now = before & equal >> 1;
            now |= fewer_before | fewer_before >> 1;  // a substitution, an insertion
            now |= fewer_now << 1;                    // a deletion
            now |= swapped_before & equal;            // the end of a transposition
            now &= allowed;
            to.reached[static_cast<std::size_t>(j)] = static_cast<std::uint8_t>(now);
            if (j < limit_) {
                to.swapped[static_cast<std::size_t>(j)] = static_cast<std::uint8_t>(before & equal >> 2);
                swapped_before = from.swapped[static_cast<std::size_t>(j)];
            }
            fewer_before = before, fewer_now = now;
        }
        return to;
    }

    // No way on from here leads to the query.
    [[nodiscard]] bool dead(const EditState& state) const {
        unsigned any = state.reached[static_cast<std::size_t>(limit_)];
        for (int j = 0; j < limit_; ++j) any |= state.swapped[static_cast<std::size_t>(j)];
        return any == 0;
    }

    // What was read is the query with `limit` edits at most.
    [[nodiscard]] bool accepts(const EditState& state) const {
        const std::int64_t e = length_ - state.read + limit_;
        return e >= 0 && e <= 2 * limit_ && (state.reached[static_cast<std::size_t>(limit_)] >> e & 1) != 0;
    }

  private:
    static constexpr std::uint32_t nothing = 0xffffffff;

    // The positions 0 ... length as bits of a state after `read` code points.
    [[nodiscard]] unsigned possible(std::uint32_t read) const {
        const std::int64_t shift = static_cast<std::int64_t>(read) - limit_;
        const std::int64_t last = length_ - shift;
        if (last < 0) return 0;
        const unsigned all = (1u << (2 * limit_ + 1)) - 1;
        unsigned bits = last >= 2 * limit_ ? all : (1u << (last + 1)) - 1;
        if (shift < 0) bits &= all << -shift;
        return bits;
    }

    int limit_;
    std::int64_t length_;
    std::vector<std::uint32_t> padded_;
    const std::uint32_t* start_;
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

  private:
    std::uint32_t value_ = 0;
    int left_ = 0;
};

inline std::vector<std::uint32_t> code_points(std::string_view text) {
    std::vector<std::uint32_t> found;
    Utf8 utf8;
    for (const char c : text)
        if (utf8.see(static_cast<unsigned char>(c))) found.push_back(utf8.value());
    return found;
}

}  // namespace pyfastlm::term_index
