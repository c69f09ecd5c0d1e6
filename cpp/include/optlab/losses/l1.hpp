// Absolute error: |p - t|, with the slope 0 at 0.
#pragma once
#include "../logistic.hpp"

namespace optlab {

struct AbsoluteError {
  template <class T>
  static OPTLAB_HD T value(T p, T t, Real<T>) {
    return magnitude<T>(p - t);
  }
  template <class T>
  static OPTLAB_HD T slope(T p, T t, Real<T>) {
    const T one = Number<T>::splat(Real<T>(1)), d = p - t;
    return select<T>(d > T{}, one, select<T>(d < T{}, -one, d));  // 0 and NaN stay
  }
  template <class T>
  static OPTLAB_HD T curvature(T, T, Real<T>) {
    return T{};
  }
};

}  // namespace optlab
