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

// Products of numbers 0, 1, 4 and 5 of a group are added up in 16 bits, and those of 2, 3, 6 and 7. With
// bytes up to 127 they fit, as weights of one sign come to at most this before they are rounded, and to 2
// more then.
inline constexpr std::int32_t most_of_four = 256;
static_assert((most_of_four + 2) * 127 < 1 << 15);

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
    std::int32_t zero;     // the byte that stands for 0: 64 for numbers of 7 bits, 128 for 8
};

// Numbers of a row of activations that are not rounded but kept: those of more than `share` of its length.
struct Kept {
    float share;
    std::size_t most;      // that a row can have of them
    std::int32_t* places;  // [rows, most], -1 behind the last; null to keep none
};

struct Weights {
    std::size_t count, dim;
    std::int8_t* panels;  // [padded count / 16][padded dim / 4][16][4], in [-127, 127]
    float* scale;         // [padded count]
    std::int32_t* sum;    // [padded count], of the values of a column
};

}  // namespace pyfastlm::int8
