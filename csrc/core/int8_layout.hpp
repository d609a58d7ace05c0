// How numbers in 8 bits lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::int8 {

inline constexpr std::size_t panel_columns = 16;  // columns of weights side by side
inline constexpr std::size_t deep = 4;            // numbers of a column side by side
inline constexpr std::size_t group = 2 * deep;    // the depth is filled up to whole groups
inline constexpr std::size_t panel_step = panel_columns * deep;
inline constexpr std::size_t widest_tile = 64;  // columns of zeros fill the last tile of any instruction set

// The byte that stands for 0 in rows whose products are first added up in 16 bits, or at once in 32.
inline constexpr std::int32_t zero_16 = 97, zero_32 = 128;

// Products of numbers 0, 1, 4 and 5 of a group are added up in 16 bits, and those of 2, 3, 6 and 7. They fit,
// as weights of one sign come to at most this before they are rounded, and to 2 more then.
inline constexpr std::int32_t most_of_four = 167;
static_assert((most_of_four + 2) * (2 * zero_16 - 1) < 1 << 15);

// Inlined always: kernels of all instruction sets call them.
[[gnu::always_inline]] constexpr std::size_t padded_dim(std::size_t dim) {
    return (dim + group - 1) / group * group;
}
[[gnu::always_inline]] constexpr std::size_t padded_columns(std::size_t columns) {
    return (columns + widest_tile - 1) / widest_tile * widest_tile;
}

// Activations. A scale is NaN where a number of the row is not finite.
struct Rows {
    std::size_t count, dim;
    std::uint8_t* values;  // [count, padded dim], in [1, 2 zero - 1]
    float* scale;          // [count]
    std::int32_t zero;     // zero_16 or zero_32
};

// Numbers of rows of activations that are not rounded with the rest.
struct Kept {
    std::size_t most;      // that a row can have of them
    std::int32_t* places;  // [rows, most], -1 behind the last; null where nothing is kept
    float* numbers;        // [rows, most]
};

// One of them, and which of the distinct places it has.
struct KeptNumber {
    float number;
    std::uint32_t column;
};

struct Weights {
    std::size_t count, dim;
    std::int8_t* panels;  // [padded count / 16][padded dim / 4][16][4], in [-127, 127]
    float* scale;         // [padded count]
    std::int32_t* sum;    // [padded count], of the values of a column
    std::int32_t zero;    // of the rows that they are for
};

}  // namespace pyfastlm::int8
