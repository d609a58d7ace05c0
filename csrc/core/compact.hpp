// Kept rows of a padded batch moved together, and back. A batch is [sequences, length] rows of `bytes` bytes;
// packed rows lie one after the other, those of sequence s from starts[s] on, with their positions in it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyfastlm::compact {

// starts [sequences + 1] from keep [sequences, length], where every byte is 0 or 1.
void count(const std::uint8_t* keep, std::size_t sequences, std::size_t length, std::int32_t* starts);

// positions [starts[sequences]] of what is kept.
void index(const std::uint8_t* keep, std::size_t sequences, std::size_t length, const std::int32_t* starts,
           std::int32_t* positions);

struct Layout {
    std::size_t sequences, length;
    const std::int32_t *starts, *positions;
};

// packed[n] = batch[s, positions[n]].
void gather(const Layout& layout, std::size_t bytes, const void* batch, void* packed, int threads);

// The reverse; rows of the batch that no position names become copies of `fill`. Throws std::invalid_argument
// unless the positions of each sequence rise and stay below `length`.
void scatter(const Layout& layout, std::size_t bytes, const void* packed, const void* fill, void* batch,
             int threads);

}  // namespace pyfastlm::compact
