// The least few of many ranks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

class Least {
  public:
    // Keeps `count` ranks, at most `listed`, and at least one.
    explicit Least(std::size_t count = listed) : room_(count) {}

    // False where the rank, and any greater one, comes too late.
    bool offer(std::uint32_t rank) {
        if (count_ == room_ && rank >= ranks_[room_ - 1]) return false;
        std::size_t i = count_ < room_ ? count_++ : room_ - 1;
        for (; i > 0 && ranks_[i - 1] > rank; --i) ranks_[i] = ranks_[i - 1];
        ranks_[i] = rank;
        return true;
    }
    [[nodiscard]] const std::uint32_t* begin() const { return ranks_; }
    [[nodiscard]] const std::uint32_t* end() const { return ranks_ + count_; }
    // Those never offered are 0.
    [[nodiscard]] const std::uint32_t* room_end() const { return ranks_ + room_; }

  private:
    std::size_t room_, count_ = 0;
    std::uint32_t ranks_[listed] = {};
};

}  // namespace pyfastlm::term_index
