// 1/4 sum_{a >= b} w_ab (U U^T - M)_ab^2 + lambda sum_a max(|u_a| - alpha, 0)^4 over the rows u_a. The coefficients are
// r, lambda, alpha, then w, then M by pairs of rows; entries beside the diagonal, which stand in a matrix twice, have
// twice the weight.
#pragma once
#include "../loops/sum.hpp"
#include "row_products.hpp"

namespace optlab {

struct WeightedFactorization {
  template <class C>
  static OPTLAB_HD i64 room(i64, const C*) {
    return 0;
  }
  template <class T, class In, class C>
  static OPTLAB_HD T value(In u, i64 dim, const C* c, T*) {
    Sum<T> sum;
    for_weighted<T>(u, dim, c, [&](i64, i64, T miss, C weight) { sum.add(miss * miss * weight); });
    T value = sum.result() * Real<T>(0.25);
    for_long_rows<T>(u, dim, c, [&](i64, T excess, T) { value = value + excess * excess * (excess * excess) * c[1]; });
    return value;
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In u, i64 dim, const C* c, T*) {
    const i64 r = static_cast<i64>(c[0]);
    for (i64 i = 0; i < dim; ++i) g[i] = T{};
    for_weighted<T>(u, dim, c, [&](i64 a, i64 b, T miss, C weight) {
      add_row_slopes<T>(g, u, a, b, r, miss * (weight * Real<T>(0.5)));
    });
    for_long_rows<T>(u, dim, c, [&](i64 a, T excess, T norm) {
      const T slope = excess * excess * excess / norm * (c[1] * C(4));
      for (i64 k = a * r; k < (a + 1) * r; ++k) g[k] = g[k] + slope * u[k];
    });
  }

 private:
  /// Calls visit(a, b, U U^T - M, w) for the entries that count; of a matrix to complete those are few.
  template <class T, class In, class C, class Visit>
  static OPTLAB_HD void for_weighted(In u, i64 dim, const C* c, Visit visit) {
    const i64 r = static_cast<i64>(c[0]), n = dim / r, pairs = n * (n + 1) / 2;
    const C *weight = c + 3, *target = weight + pairs;
    for_row_pairs(n, [&](i64 pair, i64 a, i64 b) {
      if (weight[pair] != C(0)) visit(a, b, row_product<T>(u, a, b, r) - target[pair], weight[pair]);
    });
  }
  /// Calls visit(a, |u_a| - alpha, |u_a|) for every row, one below alpha in length with 0 and alpha.
  template <class T, class In, class C, class Visit>
  static OPTLAB_HD void for_long_rows(In u, i64 dim, const C* c, Visit visit) {
    if (c[1] == C(0)) return;
    const i64 r = static_cast<i64>(c[0]);
    const C least = c[2] * c[2];
    for (i64 a = 0; a < dim / r; ++a) {
      const T more = row_product<T>(u, a, a, r) - least;
      const T norm = sqrt<T>(select<T>(more > C(0), more, T{}) + least);
      visit(a, norm - c[2], norm);
    }
  }
};

}  // namespace optlab
