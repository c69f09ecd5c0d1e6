// 1/4 sum_{a >= b} w_ab (U U^T - M)_ab^2. The coefficients are r, then w, then M by pairs of rows; entries beside the
// diagonal, which stand in a matrix twice, have twice the weight.
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
    return sum.result() * Real<T>(0.25);
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In u, i64 dim, const C* c, T*) {
    const i64 r = static_cast<i64>(c[0]);
    for (i64 i = 0; i < dim; ++i) g[i] = T{};
    for_weighted<T>(u, dim, c, [&](i64 a, i64 b, T miss, C weight) {
      add_row_slopes<T>(g, u, a, b, r, miss * (weight * Real<T>(0.5)));
    });
  }

 private:
  /// Calls visit(a, b, U U^T - M, w) for the entries that count; of a matrix to complete those are few.
  template <class T, class In, class C, class Visit>
  static OPTLAB_HD void for_weighted(In u, i64 dim, const C* c, Visit visit) {
    const i64 r = static_cast<i64>(c[0]), n = dim / r, pairs = n * (n + 1) / 2;
    const C *weight = c + 1, *target = weight + pairs;
    for_row_pairs(n, [&](i64 pair, i64 a, i64 b) {
      if (weight[pair] != C(0)) visit(a, b, row_product<T>(u, a, b, r) - target[pair], weight[pair]);
    });
  }
};

}  // namespace optlab
