// The odds that the best of some options is what was meant: a sum of broken lines of numbers about them.
// pyfastlm/spelling/candidates/{features,odds}.py say the same, and what each number is.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "core/term_index/grams.hpp"
#include "core/term_index/resembling.hpp"

namespace pyfastlm::spelling {

using term_index::CodePoints;
using term_index::Resembling;

constexpr std::size_t feature_count = 16;
using Features = std::array<double, feature_count>;

// `options`: at least one, best fit first.
Features features(const CodePoints& text, std::span<const Resembling> options);

// `values` at `knots`, straight between them, level beyond. Knots rise; there is one at least.
struct Shape {
    std::vector<double> knots, values;

    [[nodiscard]] double operator()(double x) const;
};

class Odds {
  public:
    // Throws std::invalid_argument where there is no shape for each feature, or one is none.
    Odds(double bias, std::vector<Shape> shapes);

    [[nodiscard]] double operator()(const CodePoints& text, std::span<const Resembling> options) const;

  private:
    double bias_;
    std::vector<Shape> shapes_;
};

}  // namespace pyfastlm::spelling
