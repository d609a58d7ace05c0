// Ranks of the columns of a matrix, and their products with other numbers: what rank correlations of millions
// of columns are made of. A rank is centred and doubled: how many numbers of the column are less, minus how
// many are greater. That is 2 r - (n + 1) for the average rank r among the n numbers that are not NaN; NaN
// gets 0.
#pragma once

#include "core/columns.hpp"

namespace pyfastlm::ranks {

// out [rows, columns]
template <class T>
void centred(const Columns<T>& in, T* out, int threads);

// out [sets, columns]: sums over rows of rank times weights [rows, sets]; squares [columns]: of rank times
// rank. Exact where weights are whole numbers and all sums in between are below the first that T does not
// have.
template <class T>
void products(const Columns<T>& in, const T* weights, std::size_t sets, T* out, T* squares, int threads);

}  // namespace pyfastlm::ranks
