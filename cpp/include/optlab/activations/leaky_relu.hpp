// f(x) = x for x > 0 and a x elsewhere, with f'(0) = a >= 0
#pragma once
#include "activation.hpp"

namespace optlab {

struct LeakyRelu : PiecewiseLinear {
  static constexpr const char* parameter_name = "negative_slope";
  static constexpr double default_parameter = 0.01;
  template <class T>
  static OPTLAB_HD T value(T x, Real<T> negative_slope) {
    return select<T>(x > T{}, x, x * negative_slope);
  }
  template <class T>
  static OPTLAB_HD T slope(T y, Real<T> negative_slope) {
    return select<T>(y > T{}, Number<T>::splat(Real<T>(1)), Number<T>::splat(negative_slope));
  }
};

}  // namespace optlab
