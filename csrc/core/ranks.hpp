// Ranks and signs of the columns of a matrix: what rank correlations of millions of columns are made of.
// One pass compares every two rows of a column; ties count as neither, and so does NaN with anything.
#pragma once

#include <cstddef>

namespace pyfastlm::ranks {

template <class T>
struct Columns {
    std::size_t rows, columns;
    const T* x;          // [rows, columns]
    std::size_t stride;  // numbers from one row to the next
};

// out [rows, columns]: how many numbers of the column are less, minus how many are greater. That is
// 2 r - (n + 1) for the average rank r among the n numbers that are not NaN, and 0 for NaN.
template <class T>
void centred(const Columns<T>& in, T* out, int threads);

// out [sets, columns]: for each column and each set of weights, the sum over the pairs of rows i > j of
// sign(x_i - x_j) times the pair's weight. weights [rows (rows - 1) / 2, sets], pairs in the order (1, 0),
// (2, 0), (2, 1), (3, 0) ...
// Exact for weights of -1, 0 and 1 while there are fewer pairs than T has whole numbers.
template <class T>
void signed_pairs(const Columns<T>& in, const T* weights, std::size_t sets, T* out, int threads);

}  // namespace pyfastlm::ranks
