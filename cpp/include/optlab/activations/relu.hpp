// f(x) = max(x, 0), with f'(0) = 0; NaN stays.
#pragma once
#include "activation.hpp"

namespace optlab {

struct Relu : PiecewiseLinear {
  template <class T>
  static OPTLAB_HD T value(T x, Real<T>) {
    return select<T>(x <= T{}, T{}, x);
  }
  template <class T>
  static OPTLAB_HD T slope(T y, Real<T>) {
    return select<T>(y <= T{}, T{}, Number<T>::splat(Real<T>(1)));
  }
};

}  // namespace optlab
