// f(x) = 1 / (1 + e^-x), f' = y (1 - y), f'' / f' = 1 - 2 y
#pragma once
#include "activation.hpp"

namespace optlab {

struct Sigmoid : PlainActivation {
  template <class R>
  static OPTLAB_HD R low(R) {
    return R(0);
  }
  template <class R>
  static OPTLAB_HD R high(R) {
    return R(1);
  }
  template <class T>
  static OPTLAB_HD T value(T x, Real<T>) {
    return sigmoid<T>(x);
  }
  template <class T>
  static OPTLAB_HD T slope(T y, Real<T>) {
    return y * (Real<T>(1) - y);
  }
  template <class T>
  static OPTLAB_HD T bend(T y, Real<T>) {
    return Real<T>(1) - (y + y);
  }
};

}  // namespace optlab
