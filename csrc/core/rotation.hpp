// An orthogonal matrix that costs little: signs, Hadamard transforms of blocks, a Hartley transform across
// them. For kernel sources only (see simd.hpp), which are to be compiled with -ffp-contract=off: then all
// instruction sets find the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/scratch.hpp"
#include "core/simd.hpp"

namespace pyfastlm::PYFASTLM_ISA {

// Lane i is v[i ^ distance].
template <std::size_t distance, std::size_t... lane>
PYFASTLM_INLINE Vec<float> partners(Vec<float> v, std::index_sequence<lane...>) {
    return __builtin_shufflevector(v, v, (lane ^ distance)...);
}

template <std::size_t distance, std::size_t... lane>
PYFASTLM_INLINE Vec<float> lower_and_upper(std::index_sequence<lane...>) {
    return Vec<float>{((lane & distance) != 0 ? -1.0f : 1.0f)...};
}

// Sums and differences of lanes `distance` and more apart, within blocks.
template <std::size_t distance = 1>
PYFASTLM_INLINE Vec<float> hadamard_lanes(Vec<float> v, std::size_t block) {
    if constexpr (distance >= lanes<float>) {
        return v;
    } else {
        if (distance >= block) return v;
        constexpr auto all = std::make_index_sequence<lanes<float>>{};
        const Vec<float> signs = lower_and_upper<distance>(all);
        return hadamard_lanes<2 * distance>(v * signs + partners<distance>(v, all), block);
    }
}

class Rotation {
  public:
    // Blocks of the greatest power of two that divides dim. More blocks than this are not mixed.
    static constexpr std::size_t most_blocks = 64;

    Rotation(std::size_t dim, Scratch& scratch)
        : dim_(dim), block_(dim & (~dim + 1)), blocks_(dim / block_), mixed_(blocks_ <= most_blocks),
          signs_(scratch.take<float>(room(dim))), cas_(scratch.take<float>(most_blocks)) {
        for (std::size_t j = 0; j < room(dim); ++j) {
            const std::uint32_t hash = static_cast<std::uint32_t>(j + 1) * 2654435761u;
            signs_[j] = (hash & 0x8000u) != 0 ? -1.0f : 1.0f;
        }
        for (std::size_t k = 0; mixed_ && k < blocks_; ++k) {
            const double angle = 6.283185307179586 * static_cast<double>(k) / static_cast<double>(blocks_);
            cas_[k] = static_cast<float>(__builtin_cos(angle) + __builtin_sin(angle));
        }
    }

    // Numbers that a row has room for: whole vectors.
    static std::size_t room(std::size_t dim) {
        return (dim + lanes<float> - 1) / lanes<float> * lanes<float>;
    }
    static std::size_t scratch_bytes(std::size_t dim) {
        return (room(dim) + most_blocks) * sizeof(float) + 2 * 64;
    }

    // Rotated numbers are this many times too large.
    [[nodiscard]] float length() const { return __builtin_sqrtf(static_cast<float>(mixed_ ? dim_ : block_)); }

    // x [room], zeros beyond dim.
    void apply(float* x) const {
        constexpr std::size_t n = lanes<float>;
        for (std::size_t j = 0; j < dim_; j += n)
            store(x + j, hadamard_lanes(load(x + j) * load(signs_ + j), block_));
        for (std::size_t distance = n; distance < block_; distance *= 2) {
            for (std::size_t start = 0; start < dim_; start += 2 * distance) {
                for (std::size_t j = start; j < start + distance; j += n) {
                    const Vec<float> a = load(x + j), b = load(x + j + distance);
                    store(x + j, a + b);
                    store(x + j + distance, a - b);
                }
            }
        }
        if (!mixed_ || blocks_ == 1) return;
        switch (blocks_) {  // those of most models, where the compiler counts
            case 3: return mix_all<3>(x);
            case 5: return mix_all<5>(x);
            case 7: return mix_all<7>(x);
            case 9: return mix_all<9>(x);
            case 15: return mix_all<15>(x);
            default: return mix_all<0>(x);
        }
    }

  private:
    template <std::size_t fixed>
    void mix_all(float* x) const {
        constexpr std::size_t n = lanes<float>;
        std::size_t j = 0;
        for (; j + n <= block_; j += n) mix<Vec<float>, fixed>(x + j);
        for (; j < block_; ++j) mix<float, fixed>(x + j);
    }

    // One place of every block: sums of all of them, weighted by cos + sin.
    template <class V, std::size_t fixed>
    PYFASTLM_INLINE void mix(float* x) const {
        const std::size_t blocks = fixed != 0 ? fixed : blocks_;
        V from[fixed != 0 ? fixed : most_blocks];
#pragma GCC unroll 16
        for (std::size_t b = 0; b < blocks; ++b) __builtin_memcpy(&from[b], x + b * block_, sizeof(V));
#pragma GCC unroll 16
        for (std::size_t b = 0; b < blocks; ++b) {
            V sum = from[0] * cas_[0];
#pragma GCC unroll 16
            for (std::size_t c = 1, k = b; c < blocks; ++c, k += b) {
                if (k >= blocks) k -= blocks;
                sum += from[c] * cas_[k];
            }
            __builtin_memcpy(x + b * block_, &sum, sizeof(V));
        }
    }

    const std::size_t dim_, block_, blocks_;
    const bool mixed_;
    float *const signs_, *const cas_;
};

}  // namespace pyfastlm::PYFASTLM_ISA
