// The rows of some columns, each column in the order of its numbers, by a sorting network: the same
// comparisons whatever the numbers are, for a vector of columns at a time. For kernel sources: see simd.hpp.
//
// What is sorted are 32 bits: a number's place between the least and the greatest of its column, and below it
// its row. Numbers that have one place are told apart afterwards, one by one; there are few, or they are
// ties.
#pragma once

#include "core/simd.hpp"

namespace pyfastlm::PYFASTLM_ISA {

constexpr std::size_t sorted_columns = lanes<std::uint32_t>;
constexpr std::size_t most_sorted_rows = 4096;  // twelve bits, which leave twenty for the place

// Merge exchange: Knuth, The Art of Computer Programming, volume 3, 5.2.2, algorithm M.
// Not inline: its loops need the registers.
__attribute__((noinline)) inline void sort_network(std::uint32_t* keys, std::size_t rows) {
    std::size_t top = rows < 2 ? 0 : 1;
    while (2 * top < rows) top *= 2;
    for (std::size_t p = top; p > 0; p /= 2) {
        std::size_t q = top, r = 0, d = p;
        for (;;) {
            for (std::size_t begin = r; begin + d < rows; begin += 2 * p) {
                const std::size_t end = begin + p < rows - d ? begin + p : rows - d;
                for (std::size_t i = begin; i < end; ++i) {
                    std::uint32_t *const low = keys + i * sorted_columns, *const high =
                                                                              low + d * sorted_columns;
                    const Vec<std::uint32_t> a = load(low), b = load(high);
                    store(low, a < b ? a : b);
                    store(high, a < b ? b : a);
                }
            }
            if (q == p) break;
            d = q - p, q /= 2, r = p;
        }
    }
}

// A number of a column, and the row it is from.
template <class T>
struct Placed {
    T number;
    std::uint32_t row;
};

template <class T>
class SortedRows {
  public:
    static constexpr std::size_t vectors = sorted_columns / lanes<T>;

    // x: `vectors` times [rows, lanes<T>], side by side; keys [rows, sorted_columns] are for its use.
    SortedRows(const T* x, std::size_t rows, std::uint32_t* keys) : x_(x), rows_(rows), keys_(keys) {
        while ((rows - 1) >> row_bits_ != 0) ++row_bits_;
    }

    // False where numbers have no place: they are NaN or infinite, or all too near or too far from each
    // other.
    bool sort() {
        for (std::size_t v = 0; v < vectors; ++v)
            if (!make_keys(v)) return false;
        sort_network(keys_, rows_);
        return true;
    }

    // Not 0 in the columns of which several numbers have the same place, which `row` does not tell apart.
    [[nodiscard]] Vec<std::uint32_t> unsettled() const {
        Vec<std::uint32_t> equal{};
        for (std::size_t i = 1; i < rows_; ++i) {
            const auto differ = load(keys_ + i * sorted_columns) ^ load(keys_ + (i - 1) * sorted_columns);
            equal |= (Vec<std::uint32_t>)(differ >> row_bits_ == Vec<std::uint32_t>{});
        }
        return equal;
    }
    [[nodiscard]] std::size_t row(std::size_t place, std::size_t column) const {
        return keys_[place * sorted_columns + column] & ((1u << row_bits_) - 1);
    }

    // to [rows]: the numbers of a column in order. False where too many different ones have the same place.
    bool settle(std::size_t column, Placed<T>* to) const {
        const T* const x = x_ + column / lanes<T> * rows_ * lanes<T> + column % lanes<T>;
        const std::uint32_t* const keys = keys_ + column;
        std::size_t begin = 0;  // of those that have the place of the last one
        for (std::size_t i = 0; i < rows_; ++i) {
            const std::uint32_t key = keys[i * sorted_columns];
            const auto row = static_cast<std::uint32_t>(this->row(i, column));
            const T number = x[row * lanes<T>];
            if (i > 0 && (key ^ keys[(i - 1) * sorted_columns]) >> row_bits_ != 0) begin = i;
            std::size_t j = i;
            for (; j > begin && number < to[j - 1].number; --j) to[j] = to[j - 1];
            if (i - j > most_settled) return false;
            to[j] = {number, row};
        }
        return true;
    }

  private:
    static constexpr std::size_t most_settled = 16;
    static constexpr unsigned most_place_bits = 23;  // a float has no more
    typedef std::int32_t Whole __attribute__((vector_size(lanes<T> * sizeof(std::int32_t))));
    typedef std::uint32_t Key __attribute__((vector_size(lanes<T> * sizeof(std::uint32_t))));

    bool make_keys(std::size_t v) {
        const T* const x = x_ + v * rows_ * lanes<T>;
        Vec<T> least = load(x), greatest = least, odd = least - least;
        for (std::size_t i = 1; i < rows_; ++i) {
            const Vec<T> number = load(x + i * lanes<T>);
            least = number < least ? number : least;
            greatest = number > greatest ? number : greatest;
            odd += number - number;  // no longer 0 after one that is not finite
        }
        const unsigned bits = 32 - row_bits_ < most_place_bits ? 32 - row_bits_ : most_place_bits;
        const Vec<T> places = broadcast(static_cast<T>((1u << bits) - 8));  // and rounding goes no further
        const Vec<T> width = greatest - least, scale = width > Vec<T>{} ? places / width : Vec<T>{};
        odd += scale - scale;
        for (std::size_t c = 0; c < lanes<T>; ++c)
            if (!(odd[c] == T(0))) return false;
        for (std::size_t i = 0; i < rows_; ++i) {
            const Whole place = __builtin_convertvector((load(x + i * lanes<T>) - least) * scale, Whole);
            const Key key = (Key)place << row_bits_ | static_cast<std::uint32_t>(i);
            __builtin_memcpy(keys_ + i * sorted_columns + v * lanes<T>, &key, sizeof key);
        }
        return true;
    }

    const T* const x_;
    const std::size_t rows_;
    std::uint32_t* const keys_;
    unsigned row_bits_ = 0;
};

}  // namespace pyfastlm::PYFASTLM_ISA
