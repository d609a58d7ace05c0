// What becomes of terms that come several times.
#pragma once

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pyfastlm::term_index {

enum class Duplicates { last, sum, max, refuse };

// Joins equal neighbours, in the order of their coming, and hands the rest on.
class Join {
  public:
    Join(Duplicates duplicates, const std::function<void(std::string_view, double)>& take)
        : duplicates_(duplicates), take_(take) {}

    void push(std::string_view key, double score) {
        if (!any_ || key != key_) {
            finish();
            key_ = key, score_ = score, any_ = true;
            return;
        }
        switch (duplicates_) {
            case Duplicates::last: score_ = score; break;
            case Duplicates::sum: score_ += score; break;
            case Duplicates::max: score_ = std::max(score_, score); break;
            case Duplicates::refuse: throw std::invalid_argument("the term '" + key_ + "' comes twice");
        }
    }
    void finish() {
        if (any_) take_(key_, score_);
        any_ = false;
    }

  private:
    Duplicates duplicates_;
    const std::function<void(std::string_view, double)>& take_;
    std::string key_;
    double score_ = 0;
    bool any_ = false;
};

}  // namespace pyfastlm::term_index
