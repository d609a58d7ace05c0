// Memory that one task of a kernel works in. For kernel sources only (see simd.hpp).
#pragma once

#include <cstddef>

#include "core/simd.hpp"

namespace pyfastlm::PYFASTLM_ISA {

// Hands out pieces of a task's scratch, each aligned to a cache line.
class Scratch {
  public:
    explicit Scratch(void* at) : at_(static_cast<char*>(at)) {}

    template <class T>
    T* take(std::size_t count) {
        T* const piece = reinterpret_cast<T*>(at_ + used_);
        used_ += (count * sizeof(T) + 63) / 64 * 64;
        return piece;
    }

    [[nodiscard]] std::size_t used() const { return used_; }

  private:
    char* at_;
    std::size_t used_ = 0;
};

}  // namespace pyfastlm::PYFASTLM_ISA
