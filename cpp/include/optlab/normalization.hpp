// Normalization of one element, generic over the number type: with dual numbers the same lines give the derivatives.
#pragma once
#include "dual.hpp"
#include "norms.hpp"

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

/// try_with(scale, 1 / scale) returns a sum of squares of scaled numbers: with scale 1, and again where that left the
/// range. Exact powers of two, so that the bits of ordinary rows are those of unscaled sums.
template <class R, class Try>
OPTLAB_HD void in_square_range(const Try& try_with) {
  const R scale = scale_of_squares(try_with(R(1), R(1)));
  if (scale != R(1)) try_with(scale, R(1) / scale);
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

/// The mean of some numbers, an unevaluated sum high + low, and the sum of squares around it, times scale^2: a power of
/// two that is 1 wherever squares are in range.
template <class R>
struct Spread {
  R high, low, squares, scale = R(1);
  OPTLAB_HD R mean() const { return high + low; }
  /// What the rounded mean lacks.
  OPTLAB_HD R rest() const { return (high - mean()) + low; }
  OPTLAB_HD R rstd(R eps, R count) const { return scale / sqrt<R>(squares / count + eps * scale * scale); }
  OPTLAB_HD R unbiased_variance(R one_less) const { return squares / one_less / scale / scale; }
};

/// Whether a sum of squares is out of range in a way that eps does not hide.
template <class R>
OPTLAB_HD bool lost_squares(R squares, R eps) {
  const R scale = scale_of_squares(squares);
  return scale < R(1) || (scale > R(1) && eps < R(0x1p30) * SquareRange<R>::low);
}

/// The mean and the variance of numbers whose squares are out of range, by the corrected two-pass algorithm (Chan,
/// Golub and LeVeque 1983): number k of n is at(k).
template <class R, class At>
OPTLAB_HD Spread<R> spread_out_of_range(const At& at, i64 n) {
  const R first = at(0), lost = first - first;
  if (lost != R(0)) return {lost, lost, lost, R(1)};  // a network that has diverged has such columns throughout
  constexpr R half = R(0x1p-40), twice = R(0x1p40);   // the sum may overflow where the mean does not
  CarriedTotal<R> sum, halves;
  for (i64 k = 0; k < n; ++k) {
    sum.add(at(k));
    halves.add(at(k) * half);
  }
  const R count = static_cast<R>(n), plain = sum.result() / count;
  const R mean = plain - plain == R(0) ? plain : halves.result() / count * twice;
  Spread<R> result{};
  in_square_range<R>([&](R scale, R inverse) {
    CarriedTotal<R> rest, squares;
    for (i64 k = 0; k < n; ++k) {
      const R centred = at(k) * scale - mean * scale;
      rest.add(centred);
      squares.add(centred * centred);
    }
    const R left = rest.result() / count, total = squares.result(), around = total - rest.result() * left;
    result = {mean, left * inverse, around > R(0) ? around : around * R(0), scale};
    return total;
  });
  return result;
}

/// Whether the rounding of a mean shows: up to here it puts x_hat = (x - mean) rstd off by no more than one ulp of 1.
/// Where it shows, x_hat is corrected by its own mean, the `drift`.
template <class T>
OPTLAB_HD typename Number<T>::Mask mean_is_far(T mean, T rstd) {
  const T away = mean * rstd;
  return away > Real<T>(4) || away < Real<T>(-4);
}
template <class T>
OPTLAB_HD typename Number<T>::Mask mean_is_far(Dual<T> mean, Dual<T> rstd) {
  return mean_is_far<T>(mean.v, rstd.v) || mean_is_far<T>(mean.d, rstd.v);
}

/// What batch normalization takes from the slopes u of a column, their mean and the part along x_hat, with the drift in
/// x_hat: it leaves (u + c + (x - mean) k) b. The sum with x_hat is free of the drift.
template <class T, class R>
struct Projection {
  T b, c, k;
  OPTLAB_HD Projection(T gamma, T rstd, T sum, T sum_with_x, T drift, R rows) : b(gamma * rstd) {
    const T along = sum_with_x / rows;
    k = -(rstd * along);
    c = along * drift - sum / rows;
  }
};

}  // namespace optlab
