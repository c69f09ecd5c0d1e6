// A dual number v + d e with e^2 = 0: a gradient written once for a generic number gives the exact Hessian-vector
// product.
#pragma once
#include "special.hpp"

namespace optlab {

template <class T>
struct Dual {
  T v, d;
};

template <class T>
struct Number<Dual<T>> {
  using Real = typename Number<T>::Real;
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

}  // namespace optlab
