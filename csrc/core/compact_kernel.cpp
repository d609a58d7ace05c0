#include "core/compact_kernel.hpp"

#include <cstdint>

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using Bytes = vector_of<char>::type;

void copy(const void* from, void* to, std::size_t bytes) { __builtin_memcpy(to, from, bytes); }

void stream(const void* from, void* to, std::size_t bytes) {
    const char* a = static_cast<const char*>(from);
    char* b = static_cast<char*>(to);
    const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(b) % vector_bytes;
    std::size_t i = misaligned == 0 ? 0 : vector_bytes - misaligned;
    if (i > bytes) i = bytes;
    __builtin_memcpy(b, a, i);
    for (; i + vector_bytes <= bytes; i += vector_bytes) store_past_caches(b + i, load(a + i));
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
