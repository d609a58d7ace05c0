// Which keys of a keyboard touch each other: letters only, as they lie on a keyboard of a PC.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/term_index/edits.hpp"

namespace pyfastlm::term_index {

class Keyboard {
  public:
    // The letters of three rows, from the left, upper row first. Each row begins a quarter, then a half of a
    // key further to the right than the one above.
    explicit Keyboard(const std::array<std::string_view, 3>& rows) {
        constexpr std::array<int, 3> begin{0, 1, 3};  // quarters of a key
        std::vector<int> row_of, left_of;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            int left = begin[row];
            for (const std::uint32_t letter : code_points(rows[row])) {
                letters_.push_back(letter);
                row_of.push_back(static_cast<int>(row));
                left_of.push_back(left);
                left += 4;
            }
        }
        places_.fill(none);
        for (std::size_t a = 0; a < letters_.size(); ++a) {
            if (letters_[a] < places_.size()) places_[letters_[a]] = static_cast<unsigned char>(a);
            std::uint64_t touching = 0;
            for (std::size_t b = 0; b < letters_.size(); ++b) {
                const int rows_apart = std::abs(row_of[a] - row_of[b]);
                const int apart = std::abs(left_of[a] - left_of[b]);
                if ((rows_apart == 0 && apart == 4) || (rows_apart == 1 && apart < 4))
                    touching |= std::uint64_t{1} << b;
            }
            touching_.push_back(touching);
        }
        for (std::size_t small = 'a'; small <= 'z'; ++small) places_[small - 'a' + 'A'] = places_[small];
    }

    // A bit for the key of a code point; zero where it is no letter of this keyboard. Capitals of ASCII count
    // as the small ones.
    [[nodiscard]] std::uint64_t key(std::uint32_t code_point) const {
        const std::size_t place = find(code_point);
        return place < letters_.size() ? std::uint64_t{1} << place : 0;
    }
    // The bits of all keys that touch that of a code point.
    [[nodiscard]] std::uint64_t touching(std::uint32_t code_point) const {
        const std::size_t place = find(code_point);
        return place < letters_.size() ? touching_[place] : 0;
    }

  private:
    static constexpr unsigned char none = 0xff;

    [[nodiscard]] std::size_t find(std::uint32_t code_point) const {
        if (code_point < places_.size()) return places_[code_point];
        return static_cast<std::size_t>(std::find(letters_.begin(), letters_.end(), code_point) -
                                        letters_.begin());
    }

    std::vector<std::uint32_t> letters_;  // 64 at most
    std::vector<std::uint64_t> touching_;
    std::array<unsigned char, 128> places_{};  // in letters_, of ASCII
};

// Null where there is none of this name.
inline const Keyboard* keyboard_named(std::string_view name) {
    static const Keyboard qwerty({"qwertyuiop", "asdfghjkl", "zxcvbnm"});
    static const Keyboard qwertz({"qwertzuiop\xc3\xbc", "asdfghjkl\xc3\xb6\xc3\xa4", "yxcvbnm"});
    static const Keyboard azerty({"azertyuiop", "qsdfghjklm", "wxcvbn"});
    return name == "qwerty" ? &qwerty : name == "qwertz" ? &qwertz : name == "azerty" ? &azerty : nullptr;
}

}  // namespace pyfastlm::term_index
