// |A x - b|^2 / (2 n) as one thread sees it, over all rows or over those of a batch. The operations and their order are
// those of cpu/least_squares.cpp: a row times x is one sum, the gradient gathers residual times row row by row.
#pragma once
#include "cuda/surface.cuh"

namespace optlab {

template <class R, int dimension>
struct LeastSquares {
  using Real = R;
  static constexpr int dim = dimension;
  const R *rows, *targets;     // all of them
  i64 terms;                   // of the sum
  const i64* index = nullptr;  // the rows that these are; null for all, as they lie

  OPTLAB_HD LeastSquares batch(const i64* of, i64 size) const { return {rows, targets, size, of}; }

  OPTLAB_HD R value(const R* x) const {
    Sum<R> sum;
    for (i64 k = 0; k < terms; ++k) {
      const i64 i = row_of(k);
      const R r = dot(rows + i * dim, x) - targets[i];
      sum.add(r * r);
    }
    return sum.result() / (2 * static_cast<R>(terms));
  }
  OPTLAB_HD void grad(R* g, const R* x) const {
    gather(g, x, [this](i64 i) { return targets[i]; });
  }
  OPTLAB_HD void hvp(R* h, const R*, const R* v) const {
    gather(h, v, [](i64) { return R(0); });
  }

 private:
  OPTLAB_HD i64 row_of(i64 k) const { return index ? index[k] : k; }
  static OPTLAB_HD R dot(const R* a, const R* x) {
    Sum<R> sum;
    each<R, dim>([&](int j) { sum.add(a[j] * x[j]); });
    return sum.result();
  }
  /// out = sum_i (A_i x - target_i) A_i / n
  template <class Target>
  OPTLAB_HD void gather(R* out, const R* x, const Target& target) const {
    each<R, dim>([&](int j) { out[j] = R(0); });
    for (i64 k = 0; k < terms; ++k) {
      const i64 i = row_of(k);
      const R* a = rows + i * dim;
      const R residual = dot(a, x) - target(i);
      each<R, dim>([&](int j) { out[j] = out[j] + a[j] * residual; });
    }
    each<R, dim>([&](int j) { out[j] = out[j] / static_cast<R>(terms); });
  }
};

template <class Surface>
inline constexpr bool kIsSum = false;
template <class R, int dim>
inline constexpr bool kIsSum<LeastSquares<R, dim>> = true;

/// A landscape on its numbers: coefficients and rotation, or the rows and targets of a finite sum.
template <class Surface, class R>
OPTLAB_HD Surface surface_of(const R* coefficients, const R* rotation, i64 terms, const i64* index = nullptr) {
  if constexpr (kIsSum<Surface>)
    return {coefficients, rotation, terms, index};
  else
    return {coefficients, rotation};
}

}  // namespace optlab
