// f(x) = tanh x, f' = 1 - y^2 in the form that does not cancel, f'' / f' = -2 y
#pragma once
#include "activation.hpp"

namespace optlab {

struct Tanh : PlainActivation {
  template <class R>
  static OPTLAB_HD R low(R) {
    return R(-1);
  }
  template <class R>
  static OPTLAB_HD R high(R) {
    return R(1);
  }
  template <class T>
  static OPTLAB_HD T value(T x, Real<T>) {
    return tanh<T>(x);
  }
  template <class T>
  static OPTLAB_HD T slope(T y, Real<T>) {
    return (Real<T>(1) - y) * (Real<T>(1) + y);
  }
  template <class T>
  static OPTLAB_HD T bend(T y, Real<T>) {
    return y * Real<T>(-2);
  }
};

}  // namespace optlab
