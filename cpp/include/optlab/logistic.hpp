// The functions that level off: 1 - e^-t, tanh, the logistic function and its integral softplus, and log1p, which the
// latter needs. Built like those of special.hpp, for the same bits everywhere. Error bounds (in ulp of the result;
// tests/test_special.py measures them against 50 digits):
//   one_minus_exp 1.5    tanh 3.0, odd to the bit    sigmoid 2.5    log1p 1.5    softplus 2.0
// tanh and log1p of numbers too small for a second term are exact.
#pragma once
#include "special.hpp"

namespace optlab {

/// |x|; NaN stays NaN.
template <class T>
OPTLAB_HD T magnitude(T x) {
  return Number<T>::from_bits((Number<T>::bits(x) << 1) >> 1);
}

/// The magnitude of x with the sign of `sign`; x must not be negative.
template <class T>
OPTLAB_HD T with_sign(T x, T sign) {
  constexpr int top = sizeof(Real<T>) * 8 - 1;
  return Number<T>::from_bits(Number<T>::bits(x) | ((Number<T>::bits(sign) >> top) << top));
}

/// 1 - e^-t for t >= 0, without cancellation at small t; NaN stays.
template <class T>
OPTLAB_HD T one_minus_exp(T t) {
  using C = ConstantsOf<T>;
  // from exp_gone on e^-t is lost beside 1, and the power below stays normal
  const T y = select<T>(t > C::exp_gone, Number<T>::splat(-C::exp_gone), -t);
  T n;
  const T r = reduce_exponent(y, n), scale = power_of_two(n);
  return (Real<T>(1) - scale) - scale * expm1_reduced(r);
}

/// Hyperbolic tangent: (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.
template <class T>
OPTLAB_HD T tanh(T x) {
  const T t = magnitude(x), m = one_minus_exp<T>(t + t);
  return with_sign(m / (Real<T>(2) - m), x);
}

/// e^-|x|
template <class T>
OPTLAB_HD T exp_falling(T x) {
  using C = ConstantsOf<T>;
  const T t = -magnitude(x);
  return exp_inside(select<T>(t < C::exp_low, Number<T>::splat(C::exp_low), t));
}

/// The logistic function 1 / (1 + e^-x).
template <class T>
OPTLAB_HD T sigmoid(T x) {
  const T e = exp_falling(x), one = Number<T>::splat(Real<T>(1));
  return select<T>(x < T{}, e, one) / (one + e);
}

/// log(1 + x) for a finite x > -1: what rounding 1 + x lost is added to its reduced mantissa.
template <class T>
OPTLAB_HD T log1p_inside(T x) {
  using C = ConstantsOf<T>;
  const T y = x + Real<T>(1), rounded = y - Real<T>(1);
  const T lost = (Real<T>(1) - (y - rounded)) + (x - rounded);
  T e;
  const T m = split_exponent(y, e);
  // at 2^mantissa what is lost no longer counts, and 2^-e may be no normal number
  const T part = select<T>(y >= C::two_mantissa, T{}, lost * power_of_two<T>(-e));
  return log_core<T>((m - Real<T>(1)) + part, e);
}

/// log(1 + x) without cancellation: -inf at -1, NaN below.
template <class T>
OPTLAB_HD T log1p(T x) {
  using C = ConstantsOf<T>;
  const T inf = Number<T>::from_bits(Bits<T>{} + C::infinity), nan = Number<T>::from_bits(Bits<T>{} + C::nan);
  T y = log1p_inside(x);
  y = select<T>((x == inf) | (x == T{}), x, y);
  y = select<T>(x == Real<T>(-1), -inf, y);
  return select<T>(x >= Real<T>(-1), y, nan);
}

/// log(1 + e^x) = max(x, 0) + log1p(e^-|x|); overflows nowhere.
template <class T>
OPTLAB_HD T softplus(T x) {
  const T tail = log1p_inside(exp_falling(x));
  return select<T>(x < T{}, tail, x + tail);
}

}  // namespace optlab
