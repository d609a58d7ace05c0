// The least few of many numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

template <class Number>
class Least {
  public:
    // Keeps `room` numbers, at least one and at most `listed`.
    explicit Least(std::size_t room = listed) : room_(room) {}

    // False where the number, and any greater one, comes too late.
    bool offer(Number number) {
        if (count_ == room_ && number >= numbers_[room_ - 1]) return false;
        std::size_t i = count_ < room_ ? count_++ : room_ - 1;
        for (; i > 0 && numbers_[i - 1] > number; --i) numbers_[i] = numbers_[i - 1];
        numbers_[i] = number;
        return true;
    }
    [[nodiscard]] const Number* begin() const { return numbers_; }
    [[nodiscard]] const Number* end() const { return numbers_ + count_; }
    // Those never offered are 0.
    [[nodiscard]] const Number* room_end() const { return numbers_ + room_; }

  private:
    std::size_t room_, count_ = 0;
    Number numbers_[listed] = {};
};

}  // namespace pyfastlm::term_index
