// f(x) = x
#pragma once
#include "activation.hpp"

namespace optlab {

struct Identity : PiecewiseLinear {
  template <class T>
  static OPTLAB_HD T value(T x, Real<T>) {
    return x;
  }
  template <class T>
  static OPTLAB_HD T slope(T, Real<T>) {
    return Number<T>::splat(Real<T>(1));
  }
};

}  // namespace optlab
