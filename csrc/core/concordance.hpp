// How far columns of a matrix order their rows as other numbers do: what Kendall's correlation is made of.
#pragma once

#include "core/columns.hpp"

namespace pyfastlm::concordance {

// out [sets, columns]: for each column and each set of numbers y, how many pairs of rows both order alike,
// minus how many they order unlike. y [rows, sets]. Ties order nothing, and neither does NaN. Exact while
// there are fewer pairs than T has whole numbers.
template <class T>
void count(const Columns<T>& in, const double* y, std::size_t sets, T* out, int threads);

}  // namespace pyfastlm::concordance
