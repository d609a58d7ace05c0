// Memory aligned to a cache line, for as long as the object lives.
#pragma once

#include <cstddef>
#include <new>

namespace pyfastlm {

class Aligned {
  public:
    explicit Aligned(std::size_t bytes) : memory_(::operator new(bytes, alignment)) {}
    ~Aligned() { ::operator delete(memory_, alignment); }
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
    [[nodiscard]] void* get() const { return memory_; }

  private:
    static constexpr std::align_val_t alignment{64};
    void* memory_;
};

}  // namespace pyfastlm
