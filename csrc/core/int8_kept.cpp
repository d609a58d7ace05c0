#include "core/int8_kept.hpp"

#include <limits>

namespace pyfastlm::int8 {

KeptRows::KeptRows(const Kept& kept, std::size_t dim, std::size_t begin, std::size_t end) {
    constexpr std::uint32_t unseen = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> column(dim, unseen);
    starts.reserve(end - begin + 1);
    starts.push_back(0);
    for (std::size_t i = begin; i < end; ++i) {
        const std::int32_t* const places = kept.places + i * kept.most;
        for (std::size_t k = 0; k < kept.most && places[k] >= 0; ++k) {
            const auto place = static_cast<std::size_t>(places[k]);
            if (column[place] == unseen) {
                column[place] = static_cast<std::uint32_t>(columns.size());
                columns.push_back(place);
            }
            numbers.push_back({kept.numbers[i * kept.most + k], column[place]});
        }
        starts.push_back(numbers.size());
    }
}

}  // namespace pyfastlm::int8
