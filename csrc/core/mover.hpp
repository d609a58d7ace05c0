// Moves rows in the way that suits the size of the whole result.
#pragma once

#include "core/compact_kernel.hpp"

namespace pyfastlm::compact {

class Mover {
  public:
    // `total`: bytes of all that is moved; what does not stay in the caches anyway goes past them.
    explicit Mover(std::size_t total);

    void copy(const void* from, void* to, std::size_t bytes) const { copy_(from, to, bytes); }
    // After the last copy of a thread.
    void done() const {
        if (streaming_) kernels_.done();
    }

  private:
    Kernels kernels_;
    bool streaming_;
    Copy copy_;
};

}  // namespace pyfastlm::compact
