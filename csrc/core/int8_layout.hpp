// How numbers in 8 bits lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::int8 {

inline constexpr std::size_t panel_columns = 16;  // columns of weights side by side
inline constexpr std::size_t deep = 4;            // numbers of a column side by side
inline constexpr std::size_t panel_step = panel_columns * deep;
inline constexpr std::size_t widest_tile = 64;  // columns of zeros fill the last tile of any instruction set

// Inlined always: kernels of all instruction sets call them.
[[gnu::always_inline]] constexpr std::size_t padded_dim(std::size_t dim) {
    return (dim + deep - 1) / deep * deep;
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
