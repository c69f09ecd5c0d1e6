// What a norm makes of the bound it is held against.
#pragma once
#include "portable.hpp"

namespace optlab {

/// min(1, bound / (norm + 1e-6)), as PyTorch clips.
template <class T>
OPTLAB_HD T clip_factor(T norm, Real<T> bound) {
  const T one = Number<T>::splat(Real<T>(1)), factor = bound / (norm + Real<T>(1e-6));
  return select<T>(factor > one, one, factor);
}

template <class T>
OPTLAB_HD T projection_factor(T norm, Real<T> bound) {
  return select<T>(norm > bound, bound / norm, Number<T>::splat(Real<T>(1)));
}

}  // namespace optlab
