#include "core/spelling/odds.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/term_index/edits.hpp"

namespace pyfastlm::spelling {
namespace {

constexpr double never = -20;  // of differences in fit, where there is nothing to compare with

double less(double fit, double best) { return std::max(fit - best, never); }

bool has_space(const Resembling& one) { return one.key.find(' ') != std::string::npos; }

bool same_letters(CodePoints a, CodePoints b) {
    if (a.size() != b.size()) return false;
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
}

}  // namespace

Features features(const CodePoints& text, std::span<const Resembling> options) {
    const Resembling& best = options[0];
    const CodePoints term = term_index::code_points(best.key);
    const bool both = !text.empty() && !term.empty();
    const double cost = static_cast<double>(best.cost);
    const auto pair = std::find_if(options.begin(), options.end(), has_space);
    double likelihoods = 0, near_by_cost = 0, near_by_edits = 0;
    for (const Resembling& one : options) {
        likelihoods += std::exp(one.fit - best.fit);
        near_by_cost += static_cast<double>(one.cost) <= cost + 0.5;
        near_by_edits += one.edits <= 1;
    }
    return {best.fit,
            cost,
            static_cast<double>(best.edits),
            best.edits - cost,
            static_cast<double>(best.share),
            static_cast<double>(text.size()),
            static_cast<double>(term.size()) - static_cast<double>(text.size()),
            static_cast<double>(both && term.front() == text.front()),
            static_cast<double>(both && term.back() == text.back()),
            static_cast<double>(same_letters(term, text)),
            static_cast<double>(has_space(best)),
            pair == options.end() ? never : less(pair->fit, best.fit),
            options.size() < 2 ? never : less(options[1].fit, best.fit),
            std::log(likelihoods),
            near_by_cost,
            near_by_edits};
}

double Shape::operator()(double x) const {
    const auto place =
        static_cast<std::size_t>(std::upper_bound(knots.begin(), knots.end(), x) - knots.begin());
    if (place == 0) return values.front();
    if (place == knots.size()) return values.back();
    const double low = knots[place - 1], high = knots[place];
    return values[place - 1] + (values[place] - values[place - 1]) * (x - low) / (high - low);
}

Odds::Odds(double bias, std::vector<Shape> shapes) : bias_(bias), shapes_(std::move(shapes)) {
    if (shapes_.size() != feature_count) throw std::invalid_argument("odds: not a shape for each feature");
    for (const Shape& shape : shapes_)
        if (shape.knots.empty() || shape.knots.size() != shape.values.size())
            throw std::invalid_argument("odds: a shape without a value for each knot");
}

double Odds::operator()(const CodePoints& text, std::span<const Resembling> options) const {
    const Features values = features(text, options);
    double sum = 0;
    for (std::size_t i = 0; i < feature_count; ++i) sum += shapes_[i](values[i]);
    return bias_ + sum;
}

}  // namespace pyfastlm::spelling
