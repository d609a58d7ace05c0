#include "core/compact_kernel.hpp"

#include <cstdint>

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using Bytes = vector_of<char>::type;

void copy(const void* from, void* to, std::size_t bytes, const void*) { __builtin_memcpy(to, from, bytes); }

constexpr std::size_t line = 64;

void stream(const void* from, void* to, std::size_t bytes, const void* soon) {
    const char* a = static_cast<const char*>(from);
    const char* ahead = static_cast<const char*>(soon);
    char* b = static_cast<char*>(to);
    const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(b) % vector_bytes;
    std::size_t i = misaligned == 0 ? 0 : vector_bytes - misaligned;
    if (i > bytes) i = bytes;
    __builtin_memcpy(b, a, i);
    for (; i + line <= bytes; i += line) {
        __builtin_prefetch(ahead + i);
        for (std::size_t j = i; j < i + line; j += vector_bytes) store_past_caches(b + j, load(a + j));
    }
    __builtin_memcpy(b + i, a + i, bytes - i);
}

void done() { finish_stores_past_caches(); }

}  // namespace

template <class>
compact::Kernels compact_kernels() {
    return {copy, stream, done};
}

template compact::Kernels compact_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
