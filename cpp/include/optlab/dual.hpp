// A dual number v + d e with e^2 = 0: a gradient written once for a generic number gives the exact Hessian-vector
// product.
#pragma once
#include "logistic.hpp"

namespace optlab {

template <class T>
struct Dual {
  T v, d;
};

template <class T>
struct Number<Dual<T>> {
  using Real = typename Number<T>::Real;
  using Mask = typename Number<T>::Mask;
  static OPTLAB_HD Dual<T> select(Mask m, Dual<T> a, Dual<T> b) {
    return {Number<T>::select(m, a.v, b.v), Number<T>::select(m, a.d, b.d)};
  }
  static OPTLAB_HD Dual<T> sqrt(Dual<T> x) {
    const T root = Number<T>::sqrt(x.v);
    return {root, x.d / (root * Real(2))};
  }
};

// clang-format off
template <class T> OPTLAB_HD Dual<T> operator-(Dual<T> a) { return {-a.v, -a.d}; }
template <class T> OPTLAB_HD Dual<T> operator+(Dual<T> a, Dual<T> b) { return {a.v + b.v, a.d + b.d}; }
template <class T> OPTLAB_HD Dual<T> operator-(Dual<T> a, Dual<T> b) { return {a.v - b.v, a.d - b.d}; }
template <class T> OPTLAB_HD Dual<T> operator*(Dual<T> a, Dual<T> b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
template <class T> OPTLAB_HD Dual<T> operator/(Dual<T> a, Dual<T> b) { const T q = a.v / b.v; return {q, (a.d - q * b.d) / b.v}; }
template <class T, class S> OPTLAB_HD Dual<T> operator+(Dual<T> a, S s) { return {a.v + s, a.d}; }
template <class T, class S> OPTLAB_HD Dual<T> operator-(Dual<T> a, S s) { return {a.v - s, a.d}; }
template <class T, class S> OPTLAB_HD Dual<T> operator*(Dual<T> a, S s) { return {a.v * s, a.d * s}; }
template <class T, class S> OPTLAB_HD Dual<T> operator/(Dual<T> a, S s) { return {a.v / s, a.d / s}; }
template <class T, class S> OPTLAB_HD Dual<T> operator+(S s, Dual<T> a) { return {s + a.v, a.d}; }
template <class T, class S> OPTLAB_HD Dual<T> operator-(S s, Dual<T> a) { return {s - a.v, -a.d}; }
template <class T, class S> OPTLAB_HD Dual<T> operator*(S s, Dual<T> a) { return {s * a.v, s * a.d}; }
template <class T> OPTLAB_HD typename Number<T>::Mask operator<(Dual<T> a, Dual<T> b) { return a.v < b.v; }
template <class T, class S> OPTLAB_HD typename Number<T>::Mask operator>(Dual<T> a, S s) { return a.v > s; }
// clang-format on

template <class T>
OPTLAB_HD void sincos(Dual<T> x, Dual<T>& sine, Dual<T>& cosine) {
  sincos<T>(x.v, sine.v, cosine.v);
  sine.d = cosine.v * x.d;
  cosine.d = -(sine.v * x.d);
}

template <class T>
OPTLAB_HD void sincos_turns(Dual<T> x, Dual<T>& sine, Dual<T>& cosine) {
  const T rate = x.d * Real<T>(2 * kPi);
  sincos_turns<T>(x.v, sine.v, cosine.v);
  sine.d = cosine.v * rate;
  cosine.d = -(sine.v * rate);
}

/// The derivative of the angle is -1 / sine; where the sine is 0 it is 0, half-way between those of both sides.
template <class T>
OPTLAB_HD void acos(Dual<T> x, Dual<T>& angle, Dual<T>& sine) {
  acos<T>(x.v, angle.v, sine.v);
  angle.d = select<T>(sine.v == T{}, T{}, -x.d / sine.v);
  sine.d = x.v * angle.d;
}
template <class T>
OPTLAB_HD Dual<T> inverse_root(Dual<T> x) {
  const T y = inverse_root<T>(x.v);
  return {y, x.d * (y * y * y) * Real<T>(-0.5)};
}

// Called as exp(x), without the template's argument, a function of a generic number finds these for dual ones.
template <class T>
OPTLAB_HD Dual<T> exp(Dual<T> x) {
  const T y = exp<T>(x.v);
  return {y, y * x.d};
}
template <class T>
OPTLAB_HD Dual<T> log(Dual<T> x) {
  return {log<T>(x.v), x.d / x.v};
}
template <class T>
OPTLAB_HD Dual<T> log1p(Dual<T> x) {
  return {log1p<T>(x.v), x.d / (x.v + Real<T>(1))};
}
template <class T>
OPTLAB_HD Dual<T> tanh(Dual<T> x) {
  const T y = tanh<T>(x.v);
  return {y, (Real<T>(1) - y) * (Real<T>(1) + y) * x.d};
}
template <class T>
OPTLAB_HD Dual<T> sigmoid(Dual<T> x) {
  const T y = sigmoid<T>(x.v);
  return {y, y * (Real<T>(1) - y) * x.d};
}
template <class T>
OPTLAB_HD Dual<T> softplus(Dual<T> x) {
  return {softplus<T>(x.v), sigmoid<T>(x.v) * x.d};
}

}  // namespace optlab
