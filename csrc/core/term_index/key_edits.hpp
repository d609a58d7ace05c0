// As Edits, where at most `far` of the edits may be substitutions of keys that do not touch each other.
//
// A state holds a set of positions for each number of edits j and each number g of such substitutions, both
// at most; those with g > j are those with g = j and not kept. Sets are numbered by rising j, then g.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/term_index/edits.hpp"
#include "core/term_index/keyboard.hpp"

namespace pyfastlm::term_index {

template <int limit, int far>
class KeyEdits {
  public:
    static constexpr std::uint32_t nothing = 0xffffffff;

    KeyEdits(const std::vector<std::uint32_t>& query, const Keyboard& keyboard)
        : length_(static_cast<std::int64_t>(query.size())), keyboard_(keyboard) {
        padded_.assign(query.size() + 2 * margin, {nothing, 0});
        std::transform(query.begin(), query.end(), padded_.begin() + margin, [&](std::uint32_t code_point) {
            return Asked{code_point, keyboard.touching(code_point)};
        });
    }

    [[nodiscard]] EditState start() const {
        EditState state;
        unsigned now = 1u << limit;
        for (int j = 0; j <= limit; ++j) {
            for (int g = 0; g <= std::min(j, far); ++g) state.sets |= std::uint64_t{now} << 8 * number(j, g);
            now = (now | now << 1) & possible(0);
        }
        return state;
    }

    // Calls `use` with each code point after which the state is not what it is after any other. Only where
    // there are no more edits to spend: before, the neighbours of keys are such as well.
    template <class Use>
    void for_near(EditState from, Use use) const {
        unsigned positions = 0;
        for (int j = 0; j <= limit; ++j)
            for (int g = 0; g <= std::min(j, far); ++g)
                positions |= j < limit ? swapped(from, j, g) : reached(from, j, g) << 1;
        for (unsigned i = 0; i < near_positions; ++i)
            if ((positions >> i & 1) != 0 && near(from)[i].code_point != nothing)
                use(near(from)[i].code_point);
    }

    [[nodiscard]] EditState step(EditState from, std::uint32_t code_point) const {
        const std::uint64_t key = keyboard_.key(code_point);
        unsigned equal = 0, touching = 0;  // bit e + 1 is of position read + e - limit
        for (unsigned i = 0; i < near_positions; ++i) {
            equal |= static_cast<unsigned>(near(from)[i].code_point == code_point) << i;
            touching |= static_cast<unsigned>((near(from)[i].touching & key) != 0) << i;
        }
        const unsigned allowed = possible(from.read + 1);
        EditState to{0, from.read + 1};
        for (int j = 0; j <= limit; ++j)
            for (int g = 0; g <= std::min(j, far); ++g) {
                const unsigned before = reached(from, j, g);
                unsigned now = before & equal >> 1;
                if (j > 0) {
                    const unsigned fewer = reached(from, j - 1, g);
                    now |= (fewer & touching >> 1) | fewer >> 1;    // a substitution, an insertion
                    if (g > 0) now |= reached(from, j - 1, g - 1);  // any substitution
                    now |= reached(to, j - 1, g) << 1;              // a deletion
                    now |= swapped(from, j - 1, g) & equal;         // the end of a transposition
                }
                to.sets |= std::uint64_t{now & allowed} << 8 * number(j, g);
                if (j < limit) to.sets |= std::uint64_t{before & equal >> 2} << 8 * (sets + number(j, g));
            }
        return to;
    }

    // The step to a code point that is not near in the query, nor touches one that is.
    [[nodiscard]] EditState step_elsewhere(EditState from) const { return step(from, nothing); }

    [[nodiscard]] bool dead(EditState state) const {
        return reached(state, limit, far) == 0 && state.sets >> 8 * sets == 0;
    }

    [[nodiscard]] bool accepts(EditState state) const {
        const std::int64_t e = length_ - state.read + limit;
        return e >= 0 && e <= 2 * limit && (reached(state, limit, far) >> e & 1) != 0;
    }

  private:
    struct Asked {
        std::uint32_t code_point;
        std::uint64_t touching;
    };
    static constexpr unsigned near_positions = 2 * limit + 3;
    static constexpr std::size_t margin = 2 * limit + 2;

    static constexpr int number(int j, int g) {
        int before = 0;
        for (int i = 0; i < j; ++i) before += std::min(i, far) + 1;
        return before + std::min({g, j, far});
    }
    static constexpr int sets = number(limit, far) + 1;
    static_assert(far < limit && 8 * (sets + number(limit, 0)) <= 64);

    static unsigned reached(EditState state, int j, int g) {
        return static_cast<unsigned>(state.sets >> 8 * number(j, g)) & 0xff;
    }
    static unsigned swapped(EditState state, int j, int g) {
        return static_cast<unsigned>(state.sets >> 8 * (sets + number(j, g))) & 0xff;
    }

    [[nodiscard]] const Asked* near(EditState from) const {
        return padded_.data() + from.read + margin - limit - 1;
    }

    // The positions 0 ... length as bits of a state after `read` code points.
    [[nodiscard]] unsigned possible(std::uint32_t read) const {
        unsigned bits = 0;
        for (int e = 0; e <= 2 * limit; ++e) {
            const std::int64_t position = static_cast<std::int64_t>(read) + e - limit;
            if (position >= 0 && position <= length_) bits |= 1u << e;
        }
        return bits;
    }

    std::int64_t length_;
    const Keyboard& keyboard_;
    std::vector<Asked> padded_;
};

}  // namespace pyfastlm::term_index
