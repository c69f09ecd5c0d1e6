// What quadratic functions of U U^T share. U is n x r, by rows; the entries of U U^T are the products of two rows, the
// pairs a >= b counted as (0,0), (1,0), (1,1), (2,0) and so on.
#pragma once
#include "../portable.hpp"

namespace optlab {

/// The entry (a, b) of U U^T.
template <class T, class In>
OPTLAB_HD T row_product(In u, i64 a, i64 b, i64 r) {
  T sum{};
  for (i64 k = 0; k < r; ++k) sum = sum + T(u[a * r + k]) * u[b * r + k];
  return sum;
}

/// Adds what a slope along that entry is worth along U: twice a row where a = b.
template <class T, class Out, class In>
OPTLAB_HD void add_row_slopes(Out g, In u, i64 a, i64 b, i64 r, T slope) {
  for (i64 k = 0; k < r; ++k) g[a * r + k] = g[a * r + k] + slope * u[b * r + k];
  for (i64 k = 0; k < r; ++k) g[b * r + k] = g[b * r + k] + slope * u[a * r + k];
}

/// Calls visit(pair, a, b) for every pair of n rows, in order.
template <class Visit>
OPTLAB_HD void for_row_pairs(i64 n, Visit visit) {
  i64 pair = 0;
  for (i64 a = 0; a < n; ++a)
    for (i64 b = 0; b <= a; ++b) visit(pair++, a, b);
}

}  // namespace optlab
