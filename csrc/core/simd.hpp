// The only code that knows instruction sets: which one runs, and the vector type that kernels are written in.
//
// A kernel source is compiled once per instruction set (pyfastlm_isa_kernel in CMakeLists.txt) with its own
// flags, so the same vector expressions become AVX2, AVX-512, NEON or plain code. Such a source must put
// all of its code into `namespace pyfastlm::PYFASTLM_ISA` and call no inline function of the standard
// library: the linker may keep the copy that was compiled for the wider registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace pyfastlm {

enum class Isa { portable, neon, avx2, avx512 };

const char* isa_name(Isa isa);

// The best instruction set of this processor, or the one that the environment variable PYFASTLM_ISA names.
// Throws std::invalid_argument where that one is unknown or cannot run here.
Isa isa();

}  // namespace pyfastlm

// Declares what each kernel source of a topic defines, `template <class T> result name()` in the namespace of
// its instruction set, and defines `pyfastlm::name<T>()`, which calls the one for this processor.
#ifdef PYFASTLM_HAS_avx512
#define PYFASTLM_IF_avx512(text) text
#else
#define PYFASTLM_IF_avx512(text)
#endif
#ifdef PYFASTLM_HAS_avx2
#define PYFASTLM_IF_avx2(text) text
#else
#define PYFASTLM_IF_avx2(text)
#endif
#ifdef PYFASTLM_HAS_neon
#define PYFASTLM_IF_neon(text) text
#else
#define PYFASTLM_IF_neon(text)
#endif
#define PYFASTLM_DECLARE(isa, result, name) \
    namespace isa {                         \
    template <class T>                      \
    result name();                          \
    }
#define PYFASTLM_KERNELS(result, name)                                                       \
    namespace pyfastlm {                                                                     \
    PYFASTLM_DECLARE(portable, result, name)                                                 \
    PYFASTLM_IF_neon(PYFASTLM_DECLARE(neon, result, name))                                   \
        PYFASTLM_IF_avx2(PYFASTLM_DECLARE(avx2, result, name))                               \
            PYFASTLM_IF_avx512(PYFASTLM_DECLARE(avx512, result, name)) template <class T>    \
            result name() {                                                                  \
        switch (isa()) {                                                                     \
            PYFASTLM_IF_neon(case Isa::neon : return neon::name<T>();)                       \
                PYFASTLM_IF_avx2(case Isa::avx2 : return avx2::name<T>();)                   \
                    PYFASTLM_IF_avx512(case Isa::avx512 : return avx512::name<T>();) default \
                : return portable::name<T>();                                                \
        }                                                                                    \
    }                                                                                        \
    }

#ifdef PYFASTLM_ISA

#ifdef __SSE2__
#include <immintrin.h>
#endif

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

// Writes to an address that is a multiple of vector_bytes, without taking its line into the caches. Other
// threads see it after finish_stores_past_caches().
PYFASTLM_INLINE void store_past_caches(char* to, Vec<char> v) {
#if defined(__AVX512F__)
    _mm512_stream_ps(reinterpret_cast<float*>(to), (__m512)v);
#elif defined(__AVX2__)
    _mm256_stream_ps(reinterpret_cast<float*>(to), (__m256)v);
#elif defined(__SSE2__)
    _mm_stream_ps(reinterpret_cast<float*>(to), (__m128)v);
#else
    store(to, v);
#endif
}

PYFASTLM_INLINE void finish_stores_past_caches() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

template <class T>
PYFASTLM_INLINE Vec<T> broadcast(T x) {
    return x - Vec<T>{};  // not 0 + x, which would have to turn -0 into 0
}

template <class T>
PYFASTLM_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
    return a > b ? a : b;
}

// Whole numbers, ties to even. Not by adding a large number: the compiler would fuse that with a product.
PYFASTLM_INLINE typename vector_of<std::int32_t>::type nearest(Vec<float> x) {
    using Int = typename vector_of<std::int32_t>::type;
#if defined(__AVX512F__)
    return (Int)_mm512_maskz_cvtps_epi32(__mmask16(-1), (__m512)x);
#elif defined(__AVX2__)
    return (Int)_mm256_cvtps_epi32((__m256)x);
#elif defined(__SSE2__)
    return (Int)_mm_cvtps_epi32((__m128)x);
#else
    Int whole{};
    for (std::size_t i = 0; i < lanes<float>; ++i)
        whole[i] = static_cast<std::int32_t>(__builtin_rintf(x[i]));
    return whole;
#endif
}

// The sign of a - b in each lane, -1, 0 or 1, and 0 where one of them is NaN; numbers of whichever type takes
// fewer instructions.
#if defined(__AVX512F__)
template <class T>
using Signs = Vec<T>;

template <class T>
PYFASTLM_INLINE Signs<T> sign(Vec<T> a, Vec<T> b) {
    // By the class of the difference, a digit each: NaN, signalling NaN, 0, 1, -inf, inf, negative, positive;
    // 8 stands for 0, 9 for -1, A for 1. Equal infinities differ by NaN.
    const Vec<T> d = a - b;
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_fixupimm_ps((__m512)d, (__m512)d, _mm512_set1_epi32(int(0xA9A9A888)), 0);
    else
        return (Vec<T>)_mm512_fixupimm_pd((__m512d)d, (__m512d)d, _mm512_set1_epi64(0xA9A9A888LL), 0);
}
#else
template <class T>
using Signs = decltype(Vec<T>{} < Vec<T>{});

template <class T>
PYFASTLM_INLINE Signs<T> sign(Vec<T> a, Vec<T> b) {
    return (a < b) - (a > b);  // -1 where it holds
}
#endif

// Lane i of the result is lane (i + distance) modulo the number of lanes.
template <std::size_t distance, class T, std::size_t... lane>
PYFASTLM_INLINE Vec<T> rotate(Vec<T> v, std::index_sequence<lane...>) {
    return __builtin_shufflevector(v, v, ((lane + distance) % sizeof...(lane))...);
}

// `taken` picks entries of a slice of lanes<T> numbers, one bit each. take: writes them one after the other,
// and then anything up to lanes<T> numbers in all. give: adds that many numbers to them.
#if defined(__AVX512F__)
template <class T>
PYFASTLM_INLINE void take(const T* slice, unsigned taken, T* to) {
    if constexpr (sizeof(T) == 4)
        store(to, (Vec<T>)_mm512_maskz_compress_ps(__mmask16(taken), (__m512)load(slice)));
    else
        store(to, (Vec<T>)_mm512_maskz_compress_pd(__mmask8(taken), (__m512d)load(slice)));
}

template <class T>
PYFASTLM_INLINE void give(const T* from, unsigned taken, T* slice) {
    if constexpr (sizeof(T) == 4)
        store(slice, load(slice) + (Vec<T>)_mm512_maskz_expand_ps(__mmask16(taken), (__m512)load(from)));
    else
        store(slice, load(slice) + (Vec<T>)_mm512_maskz_expand_pd(__mmask8(taken), (__m512d)load(from)));
}
#else
template <class T>
PYFASTLM_INLINE void take(const T* slice, unsigned taken, T* to) {
    for (; taken != 0; taken &= taken - 1) *to++ = slice[__builtin_ctz(taken)];
}

template <class T>
PYFASTLM_INLINE void give(const T* from, unsigned taken, T* slice) {
    for (; taken != 0; taken &= taken - 1) slice[__builtin_ctz(taken)] += *from++;
}
#endif

// Folds all lanes into one number by halving distances, in a fixed order.
template <class T, std::size_t distance = lanes<T> / 2>
PYFASTLM_INLINE T sum_lanes(Vec<T> v) {
    if constexpr (distance == 0)
        return v[0];
    else
        return sum_lanes<T, distance / 2>(v + rotate<distance, T>(v, std::make_index_sequence<lanes<T>>{}));
}

template <class T, std::size_t distance = lanes<T> / 2>
PYFASTLM_INLINE T max_lanes(Vec<T> v) {
    if constexpr (distance == 0)
        return v[0];
    else
        return max_lanes<T, distance / 2>(
            max<T>(v, rotate<distance, T>(v, std::make_index_sequence<lanes<T>>{})));
}

// e^x for x <= 0, relative error below 3e-7; 0 below -87; NaN stays NaN.
// x = n ln 2 + r with |r| <= ln 2 / 2; a polynomial for e^r (minimax, 1.1e-7) in pairs, which shortens the
// chain of multiply-adds that the next vector waits for; times 2^n.
PYFASTLM_INLINE Vec<float> exp(Vec<float> x) {
    using Int = typename vector_of<std::int32_t>::type;
    // Adding 1.5 * 2^23 rounds to a whole number, which then lies in the low bits; 127 is the exponent's
    // bias.
    const Vec<float> shifter = broadcast(12582912.0f + 127.0f);
    const Vec<float> shifted = x * 1.44269504088896341f + shifter;
    const Vec<float> n = shifted - shifter;
#if defined(__FMA__) || defined(PYFASTLM_NEON)
    const Vec<float> r = x - n * 0.693147180559945309f;
#else
    const Vec<float> r =
        (x - n * 0.693359375f) + n * 2.12194440e-4f;  // no fused multiply-add: ln 2 in two parts
#endif
    const Vec<float> square = r * r;
    const Vec<float> low = r * 1.666713322e-1f + 4.999920176e-1f,
                     high = r * 8.312049445e-3f + 4.189449937e-2f;
    const Vec<float> p = square * (square * high + low) + (r + 1.0f);
    const Vec<float> e = p * (Vec<float>)((Int)shifted << 23);
    return x < -87.0f ? Vec<float>{} : e;
}

// Exact to the library's rounding; double precision is for tests and small problems.
PYFASTLM_INLINE Vec<double> exp(Vec<double> x) {
    for (std::size_t i = 0; i < lanes<double>; ++i) x[i] = __builtin_exp(x[i]);
    return x;
}

}  // namespace pyfastlm::PYFASTLM_ISA

#endif  // PYFASTLM_ISA
