// The only code that knows instruction sets: which one runs, and the vector type that kernels are written in.
//
// A kernel source is compiled once per instruction set (pyfastlm_isa_kernel in CMakeLists.txt) with its own
// flags, so the same vector expressions become AVX2, AVX-512, NEON or plain code. Such a source must put
// all of its code into `namespace pyfastlm::PYFASTLM_ISA` and call no inline function of the standard library:
// the linker may keep the copy that was compiled for the wider registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm {

enum class Isa { portable, neon, avx2, avx512 };

const char* isa_name(Isa isa);

// The best instruction set of this processor, or the one that the environment variable PYFASTLM_ISA names.
// Throws std::invalid_argument where that one is unknown or cannot run here.
Isa isa();

}  // namespace pyfastlm

#ifdef PYFASTLM_ISA

namespace pyfastlm::PYFASTLM_ISA {

#define PYFASTLM_INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t vector_bytes = 32;
#else
inline constexpr std::size_t vector_bytes = 16;
#endif

template <class T>
inline constexpr std::size_t lanes = vector_bytes / sizeof(T);

template <class T>
struct vector_of {
    typedef T type __attribute__((vector_size(vector_bytes)));
};
// Vector of `lanes<T>` numbers; + - * / compare and select work lane by lane.
template <class T>
using Vec = typename vector_of<T>::type;

template <class T>
PYFASTLM_INLINE Vec<T> load(const T* from) {
    Vec<T> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

template <class T>
PYFASTLM_INLINE void store(T* to, Vec<T> v) {
    __builtin_memcpy(to, &v, sizeof v);
}

template <class T>
PYFASTLM_INLINE Vec<T> broadcast(T x) {
    return x - Vec<T>{};  // not 0 + x, which would have to turn -0 into 0
}

template <class T>
PYFASTLM_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
    return a > b ? a : b;
}

template <class T>
PYFASTLM_INLINE T sum_lanes(Vec<T> v) {
    T total = 0;
    for (std::size_t i = 0; i < lanes<T>; ++i) total += v[i];
    return total;
}

template <class T>
PYFASTLM_INLINE T max_lanes(Vec<T> v) {
    T best = v[0];
    for (std::size_t i = 1; i < lanes<T>; ++i) best = v[i] > best ? v[i] : best;
    return best;
}

// e^x for x <= 0 to 2 units in the last place; 0 below -87; NaN stays NaN.
// x = n ln 2 + r with |r| <= ln 2 / 2, then a polynomial for e^r and n added to the exponent.
PYFASTLM_INLINE Vec<float> exp(Vec<float> x) {
    using Int = typename vector_of<std::int32_t>::type;
    const Vec<float> shifter = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
    const Vec<float> shifted = x * 1.44269504088896341f + shifter;
    const Vec<float> n = shifted - shifter;
    const Vec<float> r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Vec<float> p = broadcast(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const Int scale = ((Int)shifted << 23) + (Int)p;
    return x < -87.0f ? Vec<float>{} : x == x ? (Vec<float>)scale : x;
}

// Exact to the library's rounding; double precision is for tests and small problems.
PYFASTLM_INLINE Vec<double> exp(Vec<double> x) {
    for (std::size_t i = 0; i < lanes<double>; ++i) x[i] = __builtin_exp(x[i]);
    return x;
}

}  // namespace pyfastlm::PYFASTLM_ISA

#endif  // PYFASTLM_ISA
