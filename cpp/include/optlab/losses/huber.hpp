// Huber's loss of d = p - t: d^2 / 2 where |d| < delta, delta (|d| - delta / 2) beyond.
#pragma once
#include "../logistic.hpp"

namespace optlab {

struct Huber {
  template <class T>
  static OPTLAB_HD T value(T p, T t, Real<T> delta) {
    const Real<T> half(0.5);
    const T size = magnitude<T>(p - t);
    return select<T>(size < delta, size * size * half, (size - delta * half) * delta);
  }
  template <class T>
  static OPTLAB_HD T slope(T p, T t, Real<T> delta) {
    const T bound = Number<T>::splat(delta), d = p - t;
    return select<T>(d > bound, bound, select<T>(d < -bound, -bound, d));
  }
  template <class T>
  static OPTLAB_HD T curvature(T p, T t, Real<T> delta) {
    const T size = magnitude<T>(p - t);
    return select<T>(size < delta, Number<T>::splat(Real<T>(1)), T{});
  }
};

}  // namespace optlab
