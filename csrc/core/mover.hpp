// Moves rows in the way that suits the size of the whole result.
#pragma once

#include "core/compact_kernel.hpp"

namespace pyfastlm::compact {

class Mover {
  public:
    // `total`: bytes of all that is moved; what does not stay in the caches anyway goes past them.
    explicit Mover(std::size_t total);

    void copy(const void* from, void* to, std::size_t bytes) const {
        copy_(from, to, bytes, static_cast<const char*>(from) + ahead);
    }
    // While `from` is written, which is in the caches, what is read next is fetched.
    void fill(const void* from, void* to, std::size_t bytes, const void* soon) const {
        copy_(from, to, bytes, soon);
    }
    // After the last copy of a thread.
    void done() const {
        if (streaming_) kernels_.done();
    }

  private:
    static constexpr std::size_t ahead = 256;

    Kernels kernels_;
    bool streaming_;
    Copy copy_;
};

}  // namespace pyfastlm::compact
