// One task of ranks, compiled once per instruction set: a lane is a column, so that no sort and no branch
// depends on the numbers. A panel of columns is copied once, because a row of it is a page away from the
// next.
#include "core/ranks_kernel.hpp"

#include <type_traits>

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using ranks::Columns;
using ranks::Task;

template <class T>
constexpr std::size_t panel = 4 * lanes<T>;
constexpr std::size_t group = 4;      // rows that one load of another row is compared with
constexpr std::size_t most_sets = 8;  // sums that stay in registers

// A whole number as wide as T.
template <class T>
using Whole = std::remove_cvref_t<decltype(Mask<T>{}[0])>;

template <class T>
PYFASTLM_INLINE Mask<T> load_counts(const Whole<T>* counts, std::size_t row) {
    Mask<T> v;
    __builtin_memcpy(&v, counts + row * lanes<T>, sizeof v);
    return v;
}

template <class T>
PYFASTLM_INLINE void store_counts(Whole<T>* counts, std::size_t row, Mask<T> v) {
    __builtin_memcpy(counts + row * lanes<T>, &v, sizeof v);
}

// Columns [column, column + panel) of all rows, as panel / lanes blocks [rows, lanes]; zeros beyond the end.
template <class T>
void copy_panel(const Columns<T>& in, std::size_t column, std::size_t end, T* to) {
    const std::size_t used = end - column < panel<T> ? end - column : panel<T>;
    for (std::size_t i = 0; i < in.rows; ++i) {
        const T* const row = in.x + i * in.stride + column;
        T tail[panel<T>];
        const T* from = row;
        if (used < panel<T>) {
            for (std::size_t c = 0; c < panel<T>; ++c) tail[c] = c < used ? row[c] : T(0);
            from = tail;
        }
        for (std::size_t v = 0; v < panel<T> / lanes<T>; ++v)
            store(to + (v * in.rows + i) * lanes<T>, load(from + v * lanes<T>));
    }
}

// sign(a - b) as -1, 0 or 1; 0 where one is NaN.
template <class T>
PYFASTLM_INLINE Vec<T> sign(Vec<T> a, Vec<T> b) {
    const Vec<T> one = broadcast(T(1)), zero{};
    return (a > b ? one : zero) - (a < b ? one : zero);
}

// Adds the sign of own - other to `sum` and takes it from `its`.
template <class T>
PYFASTLM_INLINE void count_pair(Vec<T> own, Vec<T> other, Mask<T>& sum, Mask<T>& its) {
    const Mask<T> more = own > other, less = own < other;
    sum = subtract_where<T>(add_where<T>(sum, more), less);
    its = subtract_where<T>(add_where<T>(its, less), more);
}

// x, counts: [rows, lanes]. counts becomes the centred ranks, by every pair once: rows go up in groups that
// share the loads of the rows before them.
template <class T>
void rank_block(const T* x, std::size_t rows, Whole<T>* counts) {
    std::size_t i = 0;
    for (; i + group <= rows; i += group) {
        Vec<T> own[group];
        Mask<T> sum[group];
        for (std::size_t g = 0; g < group; ++g) {
            own[g] = load(x + (i + g) * lanes<T>);
            sum[g] = Mask<T>{};
        }
        for (std::size_t j = 0; j < i; ++j) {
            const Vec<T> other = load(x + j * lanes<T>);
            Mask<T> its = load_counts<T>(counts, j);
            for (std::size_t g = 0; g < group; ++g) count_pair<T>(own[g], other, sum[g], its);
            store_counts<T>(counts, j, its);
        }
        for (std::size_t g = 1; g < group; ++g) {
            for (std::size_t h = 0; h < g; ++h) count_pair<T>(own[g], own[h], sum[g], sum[h]);
        }
        for (std::size_t g = 0; g < group; ++g) store_counts<T>(counts, i + g, sum[g]);
    }
    for (; i < rows; ++i) {
        const Vec<T> own = load(x + i * lanes<T>);
        Mask<T> sum{};
        for (std::size_t j = 0; j < i; ++j) {
            Mask<T> its = load_counts<T>(counts, j);
            count_pair<T>(own, load(x + j * lanes<T>), sum, its);
            store_counts<T>(counts, j, its);
        }
        store_counts<T>(counts, i, sum);
    }
}

template <class T>
void put(Vec<T> v, T* to, std::size_t used) {
    if (used >= lanes<T>) {
        store(to, v);
    } else {
        for (std::size_t c = 0; c < used; ++c) to[c] = v[c];
    }
}

template <class T>
void centred(const Columns<T>& in, const Task& t, T* out, void* scratch) {
    T* const copied = static_cast<T*>(scratch);
    auto* const counts = reinterpret_cast<Whole<T>*>(copied + in.rows * panel<T>);
    for (std::size_t column = t.column; column < t.column_end; column += panel<T>) {
        copy_panel(in, column, t.column_end, copied);
        for (std::size_t v = 0; v < panel<T> / lanes<T>; ++v) {
            const std::size_t at = column + v * lanes<T>;
            if (at >= t.column_end) break;
            rank_block(copied + v * in.rows * lanes<T>, in.rows, counts);
            for (std::size_t i = 0; i < in.rows; ++i) {
                put<T>(__builtin_convertvector(load_counts<T>(counts, i), Vec<T>), out + i * in.columns + at,
                       t.column_end - at);
            }
        }
    }
}

// The sums of `count` sets of weights, beginning at `weights`, which are `sets` apart from pair to pair.
template <std::size_t count, class T>
void add_pairs(const T* x, std::size_t rows, const T* weights, std::size_t sets, Vec<T>* sums) {
    Vec<T> sum[count] = {};
    for (std::size_t i = 1; i < rows; ++i) {
        const Vec<T> own = load(x + i * lanes<T>);
        for (std::size_t j = 0; j < i; ++j, weights += sets) {
            const Vec<T> s = sign<T>(own, load(x + j * lanes<T>));
            for (std::size_t k = 0; k < count; ++k) sum[k] += s * weights[k];
        }
    }
    for (std::size_t k = 0; k < count; ++k) sums[k] = sum[k];
}

template <class T>
void signed_pairs(const Columns<T>& in, const Task& t, const T* weights, std::size_t sets, T* out,
                  void* scratch) {
    T* const copied = static_cast<T*>(scratch);
    for (std::size_t column = t.column; column < t.column_end; column += panel<T>) {
        copy_panel(in, column, t.column_end, copied);
        for (std::size_t v = 0; v < panel<T> / lanes<T>; ++v) {
            const std::size_t at = column + v * lanes<T>;
            if (at >= t.column_end) break;
            const T* const x = copied + v * in.rows * lanes<T>;
            for (std::size_t k = 0, count; k < sets; k += count) {
                Vec<T> sums[most_sets];
                count = sets - k >= most_sets ? most_sets : sets - k >= 4 ? 4 : sets - k >= 2 ? 2 : 1;
                if (count == most_sets) add_pairs<most_sets>(x, in.rows, weights + k, sets, sums);
                if (count == 4) add_pairs<4>(x, in.rows, weights + k, sets, sums);
                if (count == 2) add_pairs<2>(x, in.rows, weights + k, sets, sums);
                if (count == 1) add_pairs<1>(x, in.rows, weights + k, sets, sums);
                for (std::size_t c = 0; c < count; ++c)
                    put<T>(sums[c], out + (k + c) * in.columns + at, t.column_end - at);
            }
        }
    }
}

}  // namespace

template <class T>
ranks::Kernels<T> ranks_kernels() {
    return {panel<T>, (panel<T> + lanes<T>)*sizeof(T), centred<T>, signed_pairs<T>};
}

template ranks::Kernels<float> ranks_kernels<float>();
template ranks::Kernels<double> ranks_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
