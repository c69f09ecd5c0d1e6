// Normalization of one element, generic over the number type: with dual numbers the same lines give the derivatives.
#pragma once
#include "portable.hpp"

namespace optlab {

template <class T>
OPTLAB_HD T normalized(T x, T mean, T rstd) {
  return (x - mean) * rstd;
}

/// The gradient of x from g = gamma dy, where mean_g and mean_gx are the means of g and g x_hat over the row.
template <class T>
OPTLAB_HD T normalization_gradient(T g, T x_hat, T mean_g, T mean_gx, T rstd) {
  return (g - mean_g - x_hat * mean_gx) * rstd;
}

/// Powers of two that bring numbers whose squares overflow or vanish back into range.
template <class R>
struct SquareRange;
template <>
struct SquareRange<float> {
  static constexpr float low = 0x1p-90f, up = 0x1p90f, down = 0x1p-80f;
};
template <>
struct SquareRange<double> {
  static constexpr double low = 0x1p-700, up = 0x1p600, down = 0x1p-600;
};

/// try_with(scale, 1 / scale) returns a sum of squares of scaled numbers: with scale 1, and again where that left the
/// range. Exact powers of two, so that the bits of ordinary rows are those of unscaled sums.
template <class R, class Try>
OPTLAB_HD void in_square_range(const Try& try_with) {
  using Range = SquareRange<R>;
  const R total = try_with(R(1), R(1));
  if (!(total - total == R(0)))
    try_with(Range::down, R(1) / Range::down);
  else if (total < Range::low)
    try_with(Range::up, R(1) / Range::up);
}

/// Joins the mean of some numbers, an unevaluated sum high + low, and the sum of squares around it with those of
/// others, which are a `share` of all; weight is their share times the number of the first (Chan, Golub and LeVeque
/// 1983).
template <class T>
OPTLAB_HD void join_moments(T& high, T& low, T& squares, T other_high, T other_low, T other_squares, Real<T> share,
                            Real<T> weight) {
  const T apart = (other_high - high) + (other_low - low), move = low + apart * share;
  const T mean = high + move, part = mean - high;
  low = (high - (mean - part)) + (move - part);
  high = mean;
  squares = (squares + other_squares) + apart * apart * weight;
}

/// What batch normalization takes from the slopes of a column: their mean and the part along x_hat, both times gamma
/// rstd.
template <class T, class R>
struct Projection {
  T b, c, k;
  OPTLAB_HD Projection(T gamma, T rstd, T sum, T sum_with_x, R rows) : b(gamma * rstd) {
    c = -(b * (sum / rows));
    k = -(rstd * (b * (sum_with_x / rows)));
  }
};

}  // namespace optlab
