// One task of ranks, compiled once per instruction set: a lane is a column, so that no sort and no branch
// depends on the numbers. A panel of columns is copied once, because a row of it is a page away from the
// next.
#include "core/ranks_kernel.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using ranks::Columns;
using ranks::Task;

template <class T>
constexpr std::size_t panel = 4 * lanes<T>;
constexpr std::size_t group = 4;      // rows that one load of another row is compared with
constexpr std::size_t most_sets = 8;  // sums that stay in registers

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

// x, sums: [rows, lanes]. sums becomes the centred ranks, by every pair once: rows go up in groups that share
// the loads of the rows before them.
template <class T>
void rank_block(const T* x, std::size_t rows, Signs<T>* sums) {
    std::size_t i = 0;
    for (; i + group <= rows; i += group) {
        Vec<T> own[group];
        Signs<T> sum[group] = {};
        for (std::size_t g = 0; g < group; ++g) own[g] = load(x + (i + g) * lanes<T>);
        for (std::size_t j = 0; j < i; ++j) {
            const Vec<T> other = load(x + j * lanes<T>);
            Signs<T> its = sums[j];
            for (std::size_t g = 0; g < group; ++g) {
                const Signs<T> s = sign<T>(own[g], other);
                sum[g] += s;
                its -= s;
            }
            sums[j] = its;
        }
        for (std::size_t g = 1; g < group; ++g) {
            for (std::size_t h = 0; h < g; ++h) {
                const Signs<T> s = sign<T>(own[g], own[h]);
                sum[g] += s;
                sum[h] -= s;
            }
        }
        for (std::size_t g = 0; g < group; ++g) sums[i + g] = sum[g];
    }
    for (; i < rows; ++i) {
        const Vec<T> own = load(x + i * lanes<T>);
        Signs<T> sum{};
        for (std::size_t j = 0; j < i; ++j) {
            const Signs<T> s = sign<T>(own, load(x + j * lanes<T>));
            sum += s;
            sums[j] -= s;
        }
        sums[i] = sum;
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
    auto* const sums = reinterpret_cast<Signs<T>*>(copied + in.rows * panel<T>);
    for (std::size_t column = t.column; column < t.column_end; column += panel<T>) {
        copy_panel(in, column, t.column_end, copied);
        for (std::size_t v = 0; v < panel<T> / lanes<T>; ++v) {
            const std::size_t at = column + v * lanes<T>;
            if (at >= t.column_end) break;
            rank_block(copied + v * in.rows * lanes<T>, in.rows, sums);
            for (std::size_t i = 0; i < in.rows; ++i) {
                put<T>(__builtin_convertvector(sums[i], Vec<T>), out + i * in.columns + at,
                       t.column_end - at);
            }
        }
    }
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
void signed_pairs(const Columns<T>& in, const Task& t, const T* weights, std::size_t sets, T* out,
                  void* scratch) {
    T* const copied = static_cast<T*>(scratch);
    T sums[most_sets * panel<T>];
    for (std::size_t column = t.column; column < t.column_end; column += panel<T>) {
        copy_panel(in, column, t.column_end, copied);
        const std::size_t used = t.column_end - column < panel<T> ? t.column_end - column : panel<T>;
        for (std::size_t k = 0, count; k < sets; k += count) {
            count = sets - k >= most_sets ? most_sets : sets - k >= 4 ? 4 : sets - k >= 2 ? 2 : 1;
            if (count == most_sets) add_pairs<most_sets>(copied, in.rows, weights + k, sets, sums);
            if (count == 4) add_pairs<4>(copied, in.rows, weights + k, sets, sums);
            if (count == 2) add_pairs<2>(copied, in.rows, weights + k, sets, sums);
            if (count == 1) add_pairs<1>(copied, in.rows, weights + k, sets, sums);
            for (std::size_t c = 0; c < count; ++c) {
                T* const to = out + (k + c) * in.columns + column;
                __builtin_memcpy(to, sums + c * panel<T>, used * sizeof(T));
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
