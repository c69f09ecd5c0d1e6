// Squared error: (p - t)^2.
#pragma once
#include "../portable.hpp"

namespace optlab {

struct SquaredError {
  template <class T>
  static OPTLAB_HD T value(T p, T t, Real<T>) {
    const T d = p - t;
    return d * d;
  }
  template <class T>
  static OPTLAB_HD T slope(T p, T t, Real<T>) {
    return (p - t) * Real<T>(2);
  }
  template <class T>
  static OPTLAB_HD T curvature(T, T, Real<T>) {
    return Number<T>::splat(Real<T>(2));
  }
};

}  // namespace optlab
