// Concordance of one panel, compiled once per instruction set.
#include "core/concordance_kernel.hpp"

#include "core/column_panel.hpp"
#include "core/sorted_rows.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using concordance::Order;

constexpr std::size_t most_sets = 8;           // sums that stay in registers
constexpr std::size_t least_sorted_rows = 96;  // below, comparing takes less

using Words = Vec<std::uint64_t>;

// Bits of a sum of three, in each place.
struct Sum {
    Words low, high;
};
PYFASTLM_INLINE Sum add(Words a, Words b, Words c) {
    const Words half = a ^ b;
    return {half ^ c, (a & b) | (half & c)};
}

// How many bits are set in each word.
PYFASTLM_INLINE Words count_bits(Words x) {
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    x += x >> 8;
    x += x >> 16;
    return (x + (x >> 32)) & 0xff;
}

// Counts the bits of many words, eight together: most are added as bits of sums (Harley and Seal).
class Counter {
  public:
    PYFASTLM_INLINE void take(Words x) {
        held_[many_++] = x;
        if (many_ < 8) return;
        const Sum a = add(ones_, held_[0], held_[1]), b = add(a.low, held_[2], held_[3]),
                  c = add(b.low, held_[4], held_[5]), d = add(c.low, held_[6], held_[7]);
        const Sum e = add(twos_, a.high, b.high), f = add(e.low, c.high, d.high),
                  g = add(fours_, e.high, f.high);
        ones_ = d.low, twos_ = f.low, fours_ = g.low;
        eights_ += count_bits(g.high);
        many_ = 0;
    }
    PYFASTLM_INLINE Words total() const {
        Words sum = 8 * eights_ + 4 * count_bits(fours_) + 2 * count_bits(twos_) + count_bits(ones_);
        for (std::size_t i = 0; i < many_; ++i) sum += count_bits(held_[i]);
        return sum;
    }

  private:
    Words held_[8], ones_{}, twos_{}, fours_{}, eights_{};
    std::size_t many_ = 0;
};

// For a vector of sets of bits [rows, words, padded], how many pairs of rows are ordered by a sorted column,
// and have the bit of the lesser row in the set of the greater.
template <class T>
Words count_pairs(const Placed<T>* column, std::size_t rows, const std::uint64_t* bits, std::size_t words,
                  std::size_t padded) {
    std::uint64_t less[most_sorted_rows / 64];
    for (std::size_t w = 0; w < words; ++w) less[w] = 0;
    Counter counter;
    for (std::size_t i = 0, begin = 0; i < rows; ++i) {
        if (column[i].number != column[begin].number)
            for (; begin < i; ++begin)
                less[column[begin].row / 64] |= std::uint64_t{1} << column[begin].row % 64;
        const std::uint64_t* const row = bits + column[i].row * words * padded;
        for (std::size_t w = 0; w < words; ++w) counter.take(load(row + w * padded) & broadcast(less[w]));
    }
    return counter.total();
}

// Pairs of rows that a sorted column orders.
template <class T>
std::size_t ordered_pairs(const Placed<T>* column, std::size_t rows) {
    std::size_t pairs = 0;
    for (std::size_t i = 0, begin = 0; i < rows; ++i) {
        if (column[i].number != column[begin].number) begin = i;
        pairs += begin;
    }
    return pairs;
}

// out [sets, stride]
template <class T>
void put_column(const Placed<T>* column, std::size_t rows, const Order& y, T* out, std::size_t stride) {
    const auto pairs = static_cast<long>(ordered_pairs(column, rows));
    for (std::size_t set = 0; set < y.sets; set += lanes<std::uint64_t>) {
        const Words less = count_pairs(column, rows, y.less + set, y.words, y.padded);
        Words greater{};
        if (y.greater != nullptr) greater = count_pairs(column, rows, y.greater + set, y.words, y.padded);
        for (std::size_t k = 0; k < lanes<std::uint64_t> && set + k < y.sets; ++k) {
            const auto alike = static_cast<long>(less[k]);  // without ties, what is not less is greater
            const long unlike = y.greater == nullptr ? pairs - alike : static_cast<long>(greater[k]);
            out[(set + k) * stride] = static_cast<T>(alike - unlike);
        }
    }
}

template <class T>
bool sorted(const Columns<T>& in, const Piece& piece, const Order& y, T* out, void* scratch) {
    if (in.rows < least_sorted_rows || in.rows > most_sorted_rows) return false;
    T* const copied = static_cast<T*>(scratch);
    auto* const keys = reinterpret_cast<std::uint32_t*>(copied + in.rows * panel<T>);
    auto* const column = reinterpret_cast<Placed<T>*>(keys + in.rows * sorted_columns);
    copy_panel(in, piece.begin, piece.end, copied);
    for (std::size_t first = piece.begin; first < piece.end; first += sorted_columns) {
        SortedRows<T> sorted(copied + (first - piece.begin) * in.rows, in.rows, keys);
        if (!sorted.sort()) return false;
        for (std::size_t c = 0; c < sorted_columns && first + c < piece.end; ++c) {
            if (!sorted.settle(c, column)) return false;
            put_column(column, in.rows, y, out + first + c, in.columns);
        }
    }
    return true;
}

// How many of the sets that are left are worked on together.
constexpr std::size_t together(std::size_t left) {
    return left >= most_sets ? most_sets : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

// The sign as a number, where turning a whole one into it would take longer than another way there.
template <class T>
PYFASTLM_INLINE Vec<T> sign_number(Vec<T> a, Vec<T> b) {
    if constexpr (__is_same(Signs<T>, Vec<T>)) {
        return sign<T>(a, b);
    } else {
        const Vec<T> one = broadcast(T(1)), zero{};
        return (a > b ? one : zero) - (a < b ? one : zero);
    }
}

// sums [sets, panel] of `count` sets of weights, which begin at `weights` and lie `sets` apart from pair to
// pair. Few sets go with several blocks at a time: one sum after the other would wait for itself.
template <std::size_t count, class T>
void add_pairs(const T* x, std::size_t rows, const T* weights, std::size_t sets, T* sums) {
    constexpr std::size_t wide = count == most_sets ? 1 : count == 4 ? 2 : 4;
    for (std::size_t v = 0; v < panel<T> / lanes<T>; v += wide) {
        const T* const block = x + v * rows * lanes<T>;
        const T* weight = weights;
        Vec<T> sum[wide][count] = {};
        for (std::size_t i = 1; i < rows; ++i) {
            for (std::size_t j = 0; j < i; ++j, weight += sets) {
                for (std::size_t w = 0; w < wide; ++w) {
                    const T* const column = block + w * rows * lanes<T>;
                    const Vec<T> s = sign_number<T>(load(column + i * lanes<T>), load(column + j * lanes<T>));
                    for (std::size_t k = 0; k < count; ++k) sum[w][k] += s * weight[k];
                }
            }
        }
        for (std::size_t w = 0; w < wide; ++w) {
            for (std::size_t k = 0; k < count; ++k)
                store(sums + k * panel<T> + (v + w) * lanes<T>, sum[w][k]);
        }
    }
}

template <class T>
void compared(const Columns<T>& in, const Piece& piece, const T* signs, std::size_t sets, T* out,
              void* scratch) {
    T* const copied = static_cast<T*>(scratch);
    T sums[most_sets * panel<T>];
    copy_panel(in, piece.begin, piece.end, copied);
    for (std::size_t k = 0, count; k < sets; k += count) {
        count = together(sets - k);
        if (count == most_sets) add_pairs<most_sets>(copied, in.rows, signs + k, sets, sums);
        if (count == 4) add_pairs<4>(copied, in.rows, signs + k, sets, sums);
        if (count == 2) add_pairs<2>(copied, in.rows, signs + k, sets, sums);
        if (count == 1) add_pairs<1>(copied, in.rows, signs + k, sets, sums);
        for (std::size_t c = 0; c < count; ++c)
            __builtin_memcpy(out + (k + c) * in.columns + piece.begin, sums + c * panel<T>,
                             (piece.end - piece.begin) * sizeof(T));
    }
}

}  // namespace

template <class T>
concordance::Kernels<T> concordance_kernels() {
    constexpr std::size_t row_bytes =
        panel<T> * sizeof(T) + sorted_columns * sizeof(std::uint32_t) + sizeof(Placed<T>);
    return {panel<T>, row_bytes, lanes<std::uint64_t>, sorted<T>, compared<T>};
}

template concordance::Kernels<float> concordance_kernels<float>();
template concordance::Kernels<double> concordance_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
