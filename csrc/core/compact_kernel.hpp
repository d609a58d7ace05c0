// Between compact.cpp (which rows go where) and compact_kernel.cpp (moving bytes, once per instruction set).
#pragma once

#include <cstddef>

#include "core/simd.hpp"

namespace pyfastlm::compact {

// Moves `bytes` bytes between regions that do not overlap; as many from `soon` on are read next, and may be
// fetched meanwhile.
using Copy = void (*)(const void* from, void* to, std::size_t bytes, const void* soon);

struct Kernels {
    Copy copy;
    Copy stream;     // past the caches, for results too large to stay in them
    void (*done)();  // after the last `stream` of a thread
};

}  // namespace pyfastlm::compact
