// The edits between two texts, as bits: a column of the table of distances in a few operations.
// Source: Hyyro (2003), A bit-vector algorithm for computing Levenshtein and Damerau edit distances.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/term_index/grams.hpp"

namespace pyfastlm::term_index {

class Osa {
  public:
    // Distances above `most` need not be right, only above it.
    Osa(const CodePoints& query, int most) : query_(query), most_(most) {
        if (query.size() > 64) return;
        for (std::size_t i = 0; i < query.size(); ++i)
            if (query[i] < places_.size()) places_[query[i]] |= std::uint64_t{1} << i;
    }

    // Insertions, deletions, substitutions and transpositions of neighbours (optimal string alignment).
    [[nodiscard]] int distance(const std::uint32_t* text, std::size_t size) const {
        if (query_.empty()) return static_cast<int>(size);
        return query_.size() <= 64 ? by_bits(text, size) : by_rows(text, size);
    }

  private:
    [[nodiscard]] std::uint64_t places(std::uint32_t code_point) const {
        if (code_point < places_.size()) return places_[code_point];
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < query_.size(); ++i)
            bits |= static_cast<std::uint64_t>(query_[i] == code_point) << i;
        return bits;
    }

    [[nodiscard]] int by_bits(const std::uint32_t* text, std::size_t size) const {
        const auto last = static_cast<unsigned>(query_.size() - 1);
        std::uint64_t more = ~std::uint64_t{0}, less = 0, same = 0, before = 0;
        auto distance = static_cast<int>(query_.size());
        for (std::size_t i = 0; i < size; ++i) {
            const std::uint64_t equal = places(text[i]);
            const std::uint64_t swapped = (~same & equal) << 1 & before;
            same = (((equal & more) + more) ^ more) | equal | less | swapped;
            std::uint64_t right_more = less | ~(same | more), right_less = same & more;
            distance += static_cast<int>(right_more >> last & 1) - static_cast<int>(right_less >> last & 1);
            right_more = right_more << 1 | 1, right_less <<= 1;
            more = right_less | ~(same | right_more);
            less = right_more & same;
            before = equal;
        }
        return distance;
    }

    // Only the cells that `most_` edits can reach.
    [[nodiscard]] int by_rows(const std::uint32_t* text, std::size_t size) const {
        const auto most = static_cast<std::size_t>(most_);
        const std::size_t length = query_.size(), far = most + 1;
        if (std::max(length, size) - std::min(length, size) > most) return most_ + 1;
        std::vector<std::size_t> two(size + 2, far), one(size + 2, far), now(size + 2, far);
        for (std::size_t j = 0; j <= std::min(size, most); ++j) now[j] = j;
        for (std::size_t i = 1; i <= length; ++i) {
            std::swap(two, one), std::swap(one, now);
            const std::size_t first = i > most ? i - most : 0, last = std::min(size, i + most);
            if (first > 0) now[first - 1] = far;
            for (std::size_t j = first; j <= last; ++j) {
                if (j == 0) {
                    now[j] = i;
                    continue;
                }
                now[j] = std::min({one[j] + 1, now[j - 1] + 1, one[j - 1] + (query_[i - 1] != text[j - 1])});
                if (i > 1 && j > 1 && query_[i - 1] == text[j - 2] && query_[i - 2] == text[j - 1])
                    now[j] = std::min(now[j], two[j - 2] + 1);
            }
            now[last + 1] = far;
        }
        return static_cast<int>(std::min(now[size], far));
    }

    const CodePoints& query_;
    int most_;
    std::array<std::uint64_t, 128> places_{};  // of ASCII in the query
};

}  // namespace pyfastlm::term_index
