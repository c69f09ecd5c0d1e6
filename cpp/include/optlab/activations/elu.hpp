// f(x) = x for x > 0 and a (e^x - 1) elsewhere, with f'(0) = a > 0
#pragma once
#include "activation.hpp"

namespace optlab {

struct Elu : PlainActivation {
  static constexpr const char* parameter_name = "alpha";
  static constexpr double default_parameter = 1.0;
  static constexpr bool lowest_allowed = false;
  template <class R>
  static OPTLAB_HD R low(R alpha) {
    return -alpha;
  }
  template <class T>
  static OPTLAB_HD T value(T x, Real<T> alpha) {
    return select<T>(x < T{}, one_minus_exp<T>(-x) * -alpha, x);
  }
  template <class T>
  static OPTLAB_HD T slope(T y, Real<T> alpha) {
    return select<T>(y > T{}, Number<T>::splat(Real<T>(1)), y + alpha);
  }
  template <class T>
  static OPTLAB_HD T bend(T y, Real<T>) {
    return select<T>(y > T{}, T{}, Number<T>::splat(Real<T>(1)));
  }
};

}  // namespace optlab
