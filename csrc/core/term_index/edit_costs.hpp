// What it costs to have written one text where another was meant: edits weighted by how easily they are made.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/term_index/grams.hpp"
#include "core/term_index/keyboard.hpp"

namespace pyfastlm::term_index {

// Of one edit each. `first` is a factor: how much more one costs that changes the first code point.
struct Prices {
    float substitution, near_key, insertion, omission, doubling, transposition, space, first;
};

// One spelling for another, whatever their lengths: "f" where "ph" is meant.
struct Rewrite {
    CodePoints written, meant;
    float cost;
};

class EditCosts {
  public:
    static constexpr std::size_t most_rewrites = 64;

    // `keyboard` may be null: no keys are near each other.
    EditCosts(const Prices& prices, const Keyboard* keyboard, std::vector<Rewrite> rewrites);

    // A text that was written, made ready to be compared with many.
    class Written {
      public:
        Written(const EditCosts& costs, const CodePoints& text);

        // The least cost of edits that lead from what is meant to what was written.
        [[nodiscard]] float from(const std::uint32_t* meant, std::size_t size);

      private:
        void find_meant(const std::uint32_t* meant, std::size_t size);

        const EditCosts& costs_;
        const CodePoints& text_;
        std::vector<std::uint64_t> ends_;  // at each place: the rewrites whose `written` ends there
        std::uint64_t possible_ = 0;       // any of those
        std::vector<std::uint64_t> meant_ends_;
        std::vector<float> table_;
    };

  private:
    [[nodiscard]] float substitution(std::uint32_t written, std::uint32_t meant) const;

    Prices prices_;
    const Keyboard* keyboard_;
    std::vector<Rewrite> rewrites_;
    std::vector<float> ascii_;                     // [128, 128]: written, meant
    std::array<std::uint64_t, 128> meant_last_{};  // by ASCII: the rewrites whose `meant` ends with it
};

}  // namespace pyfastlm::term_index
