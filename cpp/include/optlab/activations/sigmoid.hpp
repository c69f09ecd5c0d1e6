// f(x) = 1 / (1 + e^-x), f' = y (1 - y), f'' / f' = 1 - 2 y
#pragma once
#include "activation.hpp"

namespace optlab {

struct Sigmoid : PlainActivation {
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
