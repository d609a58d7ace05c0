// Packing for the register tile (tile.hpp), widening what is stored in half precision on the way. For kernel
// sources only (see simd.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/storage.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {

// Stored numbers, named by their format because half precisions arrive as plain 16-bit words.
struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};

template <class T>
PYFASTLM_INLINE T widen(T x) {
    return x;
}
PYFASTLM_INLINE float widen(Bf16 x) {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
}
// Moves the exponent by a multiplication, which also makes subnormals right; infinity and NaN keep theirs.
PYFASTLM_INLINE float widen(F16 x) {
    const std::uint32_t magnitude = x.bits & 0x7fffu;
    const std::uint32_t finite =
        __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, magnitude << 13) * 0x1p112f);
    const std::uint32_t special = 0x7f800000u | (magnitude << 13);
    return __builtin_bit_cast(float, (magnitude >= 0x7c00u ? special : finite) |
                                         (static_cast<std::uint32_t>(x.bits & 0x8000u) << 16));
}

// Calls fn with a pointer to number `offset`, of the type that it is stored in; T is what it is widened to.
template <class T, class Fn>
PYFASTLM_INLINE void with_stored(Storage storage, const void* at, std::size_t offset, Fn fn) {
    if constexpr (sizeof(T) == sizeof(double)) {
        fn(static_cast<const double*>(at) + offset);
    } else {
        switch (storage) {
            case Storage::bf16: return fn(static_cast<const Bf16*>(at) + offset);
            case Storage::f16: return fn(static_cast<const F16*>(at) + offset);
            default: return fn(static_cast<const float*>(at) + offset);
        }
    }
}

// Rounds to nearest, ties to even; NaN stays NaN.
PYFASTLM_INLINE void narrow(float x, Bf16& to) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
    to.bits = static_cast<std::uint16_t>(x != x ? 0x7fc0u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

PYFASTLM_INLINE void narrow(float x, F16& to) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const float size = __builtin_bit_cast(float, bits & 0x7fffffffu);
    std::uint32_t half;
    if (size != size) {
        half = 0x7e00u;
    } else if (size >= 65520.0f) {
        half = 0x7c00u;
    } else if (size < 0x1p-14f) {
        half = __builtin_bit_cast(std::uint32_t, size + 0.5f) - 0x3f000000u;  // the addition rounds to 2^-24
    } else {
        const std::uint32_t rebased = (bits & 0x7fffffffu) - (112u << 23);
        half = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
    }
    to.bits = static_cast<std::uint16_t>(sign | half);
}

template <class T>
PYFASTLM_INLINE void narrow(T x, T& to) {
    to = x;
}

// 16 bytes of numbers: the unit within which shuffles are cheap on every instruction set.
template <class T>
inline constexpr std::size_t quad = 16 / sizeof(T);

// The vectors made of lanes 0, 1, ... of a and b in turn, within each quad: from its lower or its upper half.
template <std::size_t half, class T, std::size_t... lane>
PYFASTLM_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b, std::index_sequence<lane...>) {
    constexpr std::size_t n = sizeof...(lane), q = quad<T>;
    return __builtin_shufflevector(a, b, (lane / q * q + half * q / 2 + lane % q / 2 + lane % 2 * n)...);
}

template <class T, class Stored>
PYFASTLM_INLINE void widen_some(const Stored* from, std::size_t count, T* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(widen(from[i]));
}

// A vector of quads, the g-th from `from + g * stride`.
template <class T, class Stored, std::size_t count = lanes<T> / quad<T>>
PYFASTLM_INLINE auto gather_quads(const Stored* from, std::size_t stride) {
    typedef T Result __attribute__((vector_size(16 * count)));
    if constexpr (count == 1) {
        T wide[quad<T>];
        widen_some(from, quad<T>, wide);
        Result v;
        __builtin_memcpy(&v, wide, sizeof v);
        return v;
    } else {
        const auto a = gather_quads<T, Stored, count / 2>(from, stride);
        const auto b = gather_quads<T, Stored, count / 2>(from + count / 2 * stride, stride);
        return [&]<std::size_t... lane>(std::index_sequence<lane...>) __attribute__((always_inline)) {
            return __builtin_shufflevector(a, b, lane...);
        }(std::make_index_sequence<count * quad<T>>{});
    }
}

// Transposes the square within each quad of q vectors: interleaving the halves log2(q) times brings row i to
// column i.
template <class T>
PYFASTLM_INLINE void transpose_quads(Vec<T> (&square)[quad<T>]) {
    constexpr std::size_t q = quad<T>;
    constexpr auto all = std::make_index_sequence<lanes<T>>{};
    for (std::size_t step = 1; step < q; step *= 2) {
        Vec<T> next[q];
        for (std::size_t i = 0; i < q / 2; ++i) {
            next[2 * i] = interleave<0, T>(square[i], square[i + q / 2], all);
            next[2 * i + 1] = interleave<1, T>(square[i], square[i + q / 2], all);
        }
        for (std::size_t i = 0; i < q; ++i) square[i] = next[i];
    }
}

// panel[k][j] = from[j * stride + k] for j < count <= tile_columns and k < depth; zero for the other j.
template <class T, class Stored>
void pack_columns(const Stored* from, std::size_t count, std::size_t depth, std::size_t stride, T* panel) {
    constexpr std::size_t n = lanes<T>, q = quad<T>, columns = tile_columns<T>;
    for (std::size_t j = 0; j < columns; j += n) {
        std::size_t k = 0;
        if (j + n <= count) {
            for (; k + q <= depth; k += q) {
                Vec<T> square[q];
                for (std::size_t i = 0; i < q; ++i)
                    square[i] = gather_quads<T>(from + (j + i) * stride + k, q * stride);
                transpose_quads<T>(square);
                for (std::size_t i = 0; i < q; ++i) store(panel + (k + i) * columns + j, square[i]);
            }
        }
        for (; k < depth; ++k) {
            for (std::size_t i = 0; i < n; ++i) {
                panel[k * columns + j + i] = j + i < count ? T(widen(from[(j + i) * stride + k])) : T(0);
            }
        }
    }
}

// panels[p][k][j] = from[k * stride + p * tile_columns + j] for k < count; zero from column `width` on.
template <class T, class Stored>
void pack_rows(const Stored* from, std::size_t count, std::size_t width, std::size_t stride, T* panels) {
    constexpr std::size_t columns = tile_columns<T>;
    for (std::size_t start = 0; start < width; start += columns) {
        const std::size_t used = smaller(columns, width - start);
        for (std::size_t k = 0; k < count; ++k, panels += columns) {
            const Stored* const row = from + k * stride + start;
            if (used == columns) {
                widen_some(row, columns, panels);
            } else {
                for (std::size_t j = 0; j < columns; ++j) panels[j] = j < used ? T(widen(row[j])) : T(0);
            }
        }
    }
}

}  // namespace pyfastlm::PYFASTLM_ISA
