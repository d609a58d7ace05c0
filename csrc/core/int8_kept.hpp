// What rows of activations keep, in the order in which a product reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/int8_layout.hpp"

namespace pyfastlm::int8 {

struct KeptRows {
    // Of rows [begin, end), `dim` numbers each.
    KeptRows(const Kept& kept, std::size_t dim, std::size_t begin, std::size_t end);

    std::vector<std::size_t> starts;  // row begin + i has numbers[starts[i]] up to, not with, [starts[i + 1]]
    std::vector<KeptNumber> numbers;
    std::vector<std::size_t> columns;  // the distinct places
};

}  // namespace pyfastlm::int8
