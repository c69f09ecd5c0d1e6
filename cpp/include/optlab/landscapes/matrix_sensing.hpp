// 1/(4m) sum_i (<A_i, U U^T> - y_i)^2. The coefficients are r, m, then y, then each A_i by pairs of rows; an entry
// beside the diagonal is the sum of the two in the matrix.
#pragma once
#include "../loops/sum.hpp"
#include "row_products.hpp"

namespace optlab {

struct MatrixSensing {
  /// U U^T, and the slope along its entries.
  template <class C>
  static OPTLAB_HD i64 room(i64 dim, const C* c) {
    return 2 * pairs_of(dim, c);
  }
  template <class T, class In, class C>
  static OPTLAB_HD T value(In u, i64 dim, const C* c, T* w) {
    fill_products(w, u, dim, c);
    Sum<T> sum;
    for_measurements(w, dim, c, [&](T miss, const C*) { sum.add(miss * miss); });
    return sum.result() / (c[1] * C(4));
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In u, i64 dim, const C* c, T* w) {
    const i64 r = static_cast<i64>(c[0]), pairs = pairs_of(dim, c);
    T* slope = w + pairs;
    fill_products(w, u, dim, c);
    for (i64 p = 0; p < pairs; ++p) slope[p] = T{};
    for_measurements(w, dim, c, [&](T miss, const C* row) {
      for (i64 p = 0; p < pairs; ++p) slope[p] = slope[p] + miss * row[p];
    });
    for (i64 i = 0; i < dim; ++i) g[i] = T{};
    for_row_pairs(dim / r, [&](i64 p, i64 a, i64 b) { add_row_slopes<T>(g, u, a, b, r, slope[p] / (c[1] * C(2))); });
  }

 private:
  template <class C>
  static OPTLAB_HD i64 pairs_of(i64 dim, const C* c) {
    const i64 n = dim / static_cast<i64>(c[0]);
    return n * (n + 1) / 2;
  }
  template <class T, class In, class C>
  static OPTLAB_HD void fill_products(T* w, In u, i64 dim, const C* c) {
    const i64 r = static_cast<i64>(c[0]);
    for_row_pairs(dim / r, [&](i64 p, i64 a, i64 b) { w[p] = row_product<T>(u, a, b, r); });
  }
  /// Calls visit(<A_i, U U^T> - y_i, A_i) for every measurement.
  template <class T, class C, class Visit>
  static OPTLAB_HD void for_measurements(const T* w, i64 dim, const C* c, Visit visit) {
    const i64 pairs = pairs_of(dim, c), m = static_cast<i64>(c[1]);
    const C *y = c + 2, *row = y + m;
    for (i64 i = 0; i < m; ++i, row += pairs) {
      T sum{};
      for (i64 p = 0; p < pairs; ++p) sum = sum + w[p] * row[p];
      visit(sum - y[i], row);
    }
  }
};

}  // namespace optlab
