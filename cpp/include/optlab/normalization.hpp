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

}  // namespace optlab
