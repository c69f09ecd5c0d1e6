// What an activation is: a function of one number and perhaps a parameter, with its slope f' and its bend f'' / f' as
// functions of its value, since the passes keep y and y_dot = f' x_dot, and neither x nor x_dot.
#pragma once
#include "../logistic.hpp"

namespace optlab {

/// What an activation says of its parameter: a name (nullptr for none), a default, and the least allowed value, which
/// itself may be left out.
struct PlainActivation {
  static constexpr const char* parameter_name = nullptr;
  static constexpr double default_parameter = 0.0, lowest_parameter = 0.0;
  static constexpr bool lowest_allowed = true, piecewise_linear = false;
  /// What f never leaves; infinite where it may be anything.
  template <class R>
  static OPTLAB_HD R low(R) {
    return -Number<R>::from_bits(Constants<R>::infinity);
  }
  template <class R>
  static OPTLAB_HD R high(R) {
    return Number<R>::from_bits(Constants<R>::infinity);
  }
};

/// One that is linear on either side of 0; what does not bend needs no product with 0, which infinity would spoil.
struct PiecewiseLinear : PlainActivation {
  static constexpr bool piecewise_linear = true;
  template <class T>
  static OPTLAB_HD T bend(T, Real<T>) {
    return T{};
  }
};

/// What y = f(z) / kept came from: f(z) where it is kept; what stands elsewhere meets a factor 0. Rounding may not
/// carry it out of the range of f, where slopes would have the wrong sign.
template <class R>
OPTLAB_HD R unmasked(R y, R kept, R low, R high) {
  const R x = y * kept;
  return x < low ? low : x > high ? high : x;
}

}  // namespace optlab
