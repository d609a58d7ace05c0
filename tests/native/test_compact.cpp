// compact against a loop over bytes, for the instruction set in use. Buffers are exact in size.
#include "core/compact.hpp"

#include <random>
#include <vector>

#include "check.hpp"

namespace {

namespace compact = pyfastlm::compact;

void there_and_back(std::size_t sequences, std::size_t length, std::size_t bytes, unsigned share,
                    int threads) {
    std::mt19937 random(3);
    std::vector<std::uint8_t> keep(sequences * length);
    for (auto& k : keep) k = random() % 100 < share ? 1 : 0;
    std::vector<unsigned char> batch(keep.size() * bytes), expected(batch.size());
    for (auto& b : batch) b = static_cast<unsigned char>(random());
    const std::vector<unsigned char> fill(bytes, 0xa5);

    std::vector<std::int32_t> starts(sequences + 1, -1);
    compact::count(keep.data(), sequences, length, starts.data());
    std::vector<std::int32_t> positions(static_cast<std::size_t>(starts.back()), -1);
    compact::index(keep.data(), sequences, length, starts.data(), positions.data());
    const compact::Layout layout{sequences, length, starts.data(), positions.data()};
    std::vector<unsigned char> packed(positions.size() * bytes), back(batch.size());
    compact::gather(layout, bytes, batch.data(), packed.data(), threads);
    compact::scatter(layout, bytes, packed.data(), fill.data(), back.data(), threads);

    std::size_t n = 0;
    for (std::size_t row = 0; row < keep.size(); ++row) {
        for (std::size_t i = 0; i < bytes; ++i) {
            const unsigned char b = batch[row * bytes + i];
            if (keep[row] != 0) CHECK(packed[n * bytes + i] == b);
            CHECK(back[row * bytes + i] == (keep[row] != 0 ? b : fill[i]));
        }
        if (keep[row] == 0) continue;
        CHECK(positions[n] == static_cast<std::int32_t>(row % length));
        ++n;
    }
    CHECK(n == positions.size());
}

void positions_that_could_not_be_are_refused() {
    const std::vector<std::int32_t> starts{0, 2};
    for (const std::vector<std::int32_t>& positions :
         {std::vector<std::int32_t>{1, 1}, {2, 1}, {0, 4}, {-1, 2}}) {
        const std::vector<char> packed(2), fill(1);
        std::vector<char> batch(4);
        bool refused = false;
        try {
            compact::scatter({1, 4, starts.data(), positions.data()}, 1, packed.data(), fill.data(),
                             batch.data(), 2);
        } catch (const std::invalid_argument&) {
            refused = true;
        }
        CHECK(refused);
    }
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    for (const int threads : {1, 3}) {
        for (const unsigned share : {0u, 40u, 100u}) {
            there_and_back(0, 5, 4, share, threads);
            there_and_back(3, 0, 4, share, threads);
            there_and_back(3, 17, 1, share, threads);
            there_and_back(5, 300, 132, share, threads);
            there_and_back(2, 400, 16 * 1024 + 4, share, threads);  // large enough to bypass the caches
        }
    }
    positions_that_could_not_be_are_refused();
}
