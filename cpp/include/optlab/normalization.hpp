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

/// Joins the mean of some numbers, an unevaluated sum high + low, and the sum of squares around it with those of others,
/// which are a `share` of all; weight is their share times the number of the first (Chan, Golub and LeVeque 1983).
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
