#include "core/concordance.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/concordance_kernel.hpp"

PYFASTLM_KERNELS(concordance::Kernels<T>, concordance_kernels)

namespace pyfastlm::concordance {
namespace {

// What Order points to.
class Bits {
  public:
    Bits(const double* y, std::size_t rows, std::size_t sets, std::size_t lanes)
        : sets_(sets), padded_((sets + lanes - 1) / lanes * lanes), words_((rows + 63) / 64),
          less_(rows * words_ * padded_), greater_(less_.size()) {
        std::vector<std::size_t> order;
        for (std::size_t set = 0; set < sets; ++set) {
            const auto number = [=](std::size_t row) { return y[row * sets + set]; };
            order.clear();
            for (std::size_t row = 0; row < rows; ++row)
                if (number(row) == number(row)) order.push_back(row);
            ties_ = ties_ || order.size() < rows;
            std::sort(order.begin(), order.end(),
                      [&](std::size_t a, std::size_t b) { return number(a) < number(b); });
            mark(order, set, number, less_);
            std::reverse(order.begin(), order.end());
            mark(order, set, number, greater_);
        }
    }
    [[nodiscard]] Order order() const {
        return {sets_, padded_, words_, less_.data(), ties_ ? greater_.data() : nullptr};
    }

  private:
    // For each of the rows, those before it that are not its equals.
    template <class Number>
    void mark(const std::vector<std::size_t>& rows, std::size_t set, const Number& number,
              std::vector<std::uint64_t>& to) {
        std::vector<std::uint64_t> before(words_);
        for (std::size_t begin = 0, end; begin < rows.size(); begin = end) {
            for (end = begin; end < rows.size() && number(rows[end]) == number(rows[begin]); ++end)
                for (std::size_t w = 0; w < words_; ++w)
                    to[(rows[end] * words_ + w) * padded_ + set] = before[w];
            ties_ = ties_ || end - begin > 1;
            for (std::size_t i = begin; i < end; ++i)
                before[rows[i] / 64] |= std::uint64_t{1} << rows[i] % 64;
        }
    }

    std::size_t sets_, padded_, words_;
    bool ties_ = false;
    std::vector<std::uint64_t> less_, greater_;
};

template <class T>
std::vector<T> pair_signs(const double* y, std::size_t rows, std::size_t sets) {
    std::vector<T> signs;
    for (std::size_t i = 1; i < rows; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            for (std::size_t set = 0; set < sets; ++set) {
                const double a = y[i * sets + set], b = y[j * sets + set];
                signs.push_back(static_cast<T>((a > b) - (a < b)));
            }
        }
    }
    return signs;
}

}  // namespace

template <class T>
void count(const Columns<T>& in, const double* y, std::size_t sets, T* out, int threads) {
    const Kernels<T> kernel = concordance_kernels<T>();
    const Bits bits(y, in.rows, sets, kernel.lanes);
    std::vector<unsigned char> unsorted((in.columns + kernel.panel - 1) / kernel.panel);  // panels
    const auto for_panels = [&](const auto& work) {
        for_pieces(in, kernel.panel, kernel.row_bytes, threads, [&](const Piece& piece, void* scratch) {
            for (std::size_t begin = piece.begin; begin < piece.end; begin += kernel.panel)
                work(Piece{begin, std::min(piece.end, begin + kernel.panel)}, unsorted[begin / kernel.panel],
                     scratch);
        });
    };
    for_panels([&](const Piece& panel, unsigned char& failed, void* scratch) {
        failed = kernel.sorted(in, panel, bits.order(), out, scratch) ? 0 : 1;
    });
    if (std::count(unsorted.begin(), unsorted.end(), 1) == 0) return;
    const std::vector<T> signs = pair_signs<T>(y, in.rows, sets);
    for_panels([&](const Piece& panel, unsigned char failed, void* scratch) {
        if (failed != 0) kernel.compared(in, panel, signs.data(), sets, out, scratch);
    });
}

template void count<float>(const Columns<float>&, const double*, std::size_t, float*, int);
template void count<double>(const Columns<double>&, const double*, std::size_t, double*, int);

}  // namespace pyfastlm::concordance
