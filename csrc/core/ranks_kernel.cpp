// Ranks and their products for one piece, compiled once per instruction set: a lane is a column. They come
// from a sorting network where it can sort the columns, else from comparing every two rows.
#include "core/ranks_kernel.hpp"

#include "core/column_panel.hpp"
#include "core/sorted_rows.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

constexpr std::size_t group = 4;  // rows that one load of another row is compared with
template <class T>
constexpr std::size_t least_sorted_rows = sizeof(T) == 4 ? 40 : 24;  // below, comparing takes less

// What a piece needs, in its scratch.
template <class T>
struct Room {
    Room(void* scratch, std::size_t rows)
        : copied(static_cast<T*>(scratch)), ranked(copied + rows * panel<T>),
          sums(reinterpret_cast<Signs<T>*>(ranked + rows * sorted_columns)),
          keys(reinterpret_cast<std::uint32_t*>(sums + rows)),
          column(reinterpret_cast<Placed<T>*>(keys + rows * sorted_columns)) {}
    static constexpr std::size_t row_bytes = (panel<T> + sorted_columns + lanes<T>)*sizeof(T) +
                                             sorted_columns * sizeof(std::uint32_t) + sizeof(Placed<T>);
    T *const copied, *const ranked;  // [rows, panel], [rows, sorted_columns]
    Signs<T>* const sums;            // [rows]
    std::uint32_t* const keys;       // [rows, sorted_columns]
    Placed<T>* const column;         // [rows]
};

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

// to [rows, sorted_columns]
template <class T>
void compared_ranks(const T* x, std::size_t rows, Signs<T>* sums, T* to) {
    for (std::size_t v = 0; v < sorted_columns / lanes<T>; ++v) {
        rank_block(x + v * rows * lanes<T>, rows, sums);
        for (std::size_t i = 0; i < rows; ++i)
            store(to + i * sorted_columns + v * lanes<T>, __builtin_convertvector(sums[i], Vec<T>));
    }
}

// Calls take(place of the first, one after the last, rank) for equals of a column that is in order.
template <class T, class Take>
PYFASTLM_INLINE void for_equals(const Placed<T>* column, std::size_t rows, const Take& take) {
    for (std::size_t begin = 0, end; begin < rows; begin = end) {
        for (end = begin + 1; end < rows && column[end].number == column[begin].number;) ++end;
        take(begin, end, static_cast<T>(begin + end) - static_cast<T>(rows));
    }
}

// The rank at a place, where there are no ties.
template <class T>
PYFASTLM_INLINE T rank_at(std::size_t place, std::size_t rows) {
    return static_cast<T>(2 * place + 1) - static_cast<T>(rows);
}

// to [rows, sorted_columns]. False where it cannot be done this way.
template <class T>
bool sorted_ranks(const T* x, std::size_t rows, const Room<T>& room, T* to) {
    SortedRows<T> sorted(x, rows, room.keys);
    if (!sorted.sort()) return false;
    for (std::size_t place = 0; place < rows; ++place) {
        const T rank = rank_at<T>(place, rows);
        for (std::size_t c = 0; c < sorted_columns; ++c) to[sorted.row(place, c) * sorted_columns + c] = rank;
    }
    const Vec<std::uint32_t> unsettled = sorted.unsettled();
    for (std::size_t c = 0; c < sorted_columns; ++c) {
        if (unsettled[c] == 0) continue;
        if (!sorted.settle(c, room.column)) return false;
        for_equals(room.column, rows, [&](std::size_t begin, std::size_t end, T rank) {
            for (std::size_t i = begin; i < end; ++i) to[room.column[i].row * sorted_columns + c] = rank;
        });
    }
    return true;
}

template <class T>
bool can_sort(std::size_t rows) {
    return rows >= least_sorted_rows<T> && rows <= most_sorted_rows;
}

// Calls take(x, first, used) for every sorted_columns columns, of which `used` are there.
template <class T, class Take>
PYFASTLM_INLINE void for_columns(const Columns<T>& in, const Piece& piece, T* copied, const Take& take) {
    for (std::size_t first = piece.begin; first < piece.end; first += sorted_columns) {
        const std::size_t within = (first - piece.begin) % panel<T>, left = piece.end - first;
        if (within == 0) copy_panel(in, first, piece.end, copied);
        take(copied + within * in.rows, first, left < sorted_columns ? left : sorted_columns);
    }
}

template <class T>
void centred(const Columns<T>& in, const Piece& piece, T* out, void* scratch) {
    const Room<T> room(scratch, in.rows);
    for_columns(in, piece, room.copied, [&](const T* x, std::size_t first, std::size_t used) {
        if (!can_sort<T>(in.rows) || !sorted_ranks(x, in.rows, room, room.ranked))
            compared_ranks(x, in.rows, room.sums, room.ranked);
        for (std::size_t i = 0; i < in.rows; ++i)
            __builtin_memcpy(out + i * in.columns + first, room.ranked + i * sorted_columns,
                             used * sizeof(T));
    });
}

// Weights of rows for sums over them of rank times weight, and where the sums go.
template <class T>
struct Product {
    std::size_t sets, padded;
    const T* weights;  // [rows, padded]
    T* out;            // [sets, columns]
    std::size_t columns;

    void put(Vec<T> sums, std::size_t set, std::size_t column) const {
        for (std::size_t i = 0; i < lanes<T> && set + i < sets; ++i)
            out[(set + i) * columns + column] = sums[i];
    }
};

// Of columns without ties. Several go side by side: each waits for its last addition. `padded`: that of the
// product, or 0 where it is not known.
template <std::size_t padded, class T>
void put_sorted(const SortedRows<T>& sorted, std::size_t rows, const Product<T>& product, std::size_t first,
                std::size_t used) {
    constexpr std::size_t wide = 8 < sorted_columns ? 8 : sorted_columns;
    const std::size_t length = padded == 0 ? product.padded : padded;
    for (std::size_t set = 0; set < product.sets; set += lanes<T>) {
        for (std::size_t c = 0; c < used; c += wide) {
            Vec<T> sum[wide] = {};
            for (std::size_t place = 0; place < rows; ++place) {
                const Vec<T> rank = broadcast(rank_at<T>(place, rows));
                for (std::size_t i = 0; i < wide; ++i)
                    sum[i] += rank * load(product.weights + sorted.row(place, c + i) * length + set);
            }
            for (std::size_t i = 0; i < wide && c + i < used; ++i) product.put(sum[i], set, first + c + i);
        }
    }
}

// False where it cannot be done this way.
template <class T>
bool sorted_products(const T* x, std::size_t rows, const Room<T>& room, const Product<T>& product,
                     std::size_t first, std::size_t used, T* squares) {
    SortedRows<T> sorted(x, rows, room.keys);
    if (!sorted.sort()) return false;
    if (product.padded == lanes<T>)
        put_sorted<lanes<T>>(sorted, rows, product, first, used);
    else
        put_sorted<0>(sorted, rows, product, first, used);
    const T untied = static_cast<T>(rows * (rows * rows - 1) / 3);
    const Vec<std::uint32_t> unsettled = sorted.unsettled();
    for (std::size_t c = 0; c < used; ++c) {
        squares[first + c] = untied;
        if (unsettled[c] == 0) continue;
        if (!sorted.settle(c, room.column)) return false;
        T square = 0;
        for_equals(room.column, rows, [&](std::size_t begin, std::size_t end, T rank) {
            square += static_cast<T>(end - begin) * rank * rank;
        });
        squares[first + c] = square;
        for (std::size_t set = 0; set < product.sets; set += lanes<T>) {
            Vec<T> sum{};
            for_equals(room.column, rows, [&](std::size_t begin, std::size_t end, T rank) {
                for (std::size_t i = begin; i < end; ++i)
                    sum += rank * load(product.weights + room.column[i].row * product.padded + set);
            });
            product.put(sum, set, first + c);
        }
    }
    return true;
}

// The same from ranks [rows, sorted_columns].
template <class T>
void products_of(const T* ranks, std::size_t rows, const Product<T>& product, std::size_t first,
                 std::size_t used, T* squares) {
    for (std::size_t c = 0; c < used; ++c) {
        T square = 0;
        for (std::size_t i = 0; i < rows; ++i)
            square += ranks[i * sorted_columns + c] * ranks[i * sorted_columns + c];
        squares[first + c] = square;
        for (std::size_t set = 0; set < product.sets; set += lanes<T>) {
            Vec<T> sum{};
            for (std::size_t i = 0; i < rows; ++i)
                sum += ranks[i * sorted_columns + c] * load(product.weights + i * product.padded + set);
            product.put(sum, set, first + c);
        }
    }
}

template <class T>
void products(const Columns<T>& in, const Piece& piece, const T* weights, std::size_t sets,
              std::size_t padded, T* out, T* squares, void* scratch) {
    const Room<T> room(scratch, in.rows);
    const Product<T> product{sets, padded, weights, out, in.columns};
    for_columns(in, piece, room.copied, [&](const T* x, std::size_t first, std::size_t used) {
        if (can_sort<T>(in.rows) && sorted_products(x, in.rows, room, product, first, used, squares)) return;
        compared_ranks(x, in.rows, room.sums, room.ranked);
        products_of(room.ranked, in.rows, product, first, used, squares);
    });
}

}  // namespace

template <class T>
ranks::Kernels<T> ranks_kernels() {
    return {panel<T>, Room<T>::row_bytes, lanes<T>, centred<T>, products<T>};
}

template ranks::Kernels<float> ranks_kernels<float>();
template ranks::Kernels<double> ranks_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
