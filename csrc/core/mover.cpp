#include "core/mover.hpp"

PYFASTLM_KERNELS(compact::Kernels, compact_kernels)

namespace pyfastlm::compact {
namespace {

constexpr std::size_t cached_bytes = std::size_t{4} << 20;

}  // namespace

Mover::Mover(std::size_t total)
    : kernels_(compact_kernels<void>()), streaming_(total > cached_bytes),
      copy_(streaming_ ? kernels_.stream : kernels_.copy) {}

}  // namespace pyfastlm::compact
