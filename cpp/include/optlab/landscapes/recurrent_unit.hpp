// (s(x_T) - y)^2 with x_{t+1} = w s(x_t) + b and the logistic function s. The point is (w, b). The derivatives by w and
// b go forward with the state: with two parameters that costs what going backward does, and needs no room for the past.
// Coefficients: T, x_0, y.
#pragma once
#include "../logistic.hpp"

namespace optlab {

struct RecurrentUnit {
  static constexpr int coefficients = 1;

  template <class T, class In, class C>
  static OPTLAB_HD T value(In p, i64, const C* c) {
    const T w = p[0], b = p[1];
    T x = T{} + Real<T>(c[1]);
    for (i64 t = static_cast<i64>(c[0]); t > 0; --t) x = w * sigmoid(x) + b;
    const T miss = sigmoid(x) - Real<T>(c[2]);
    return miss * miss;
  }

  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In p, i64, const C* c) {
    const T w = p[0], b = p[1];
    T x = T{} + Real<T>(c[1]), by_w{}, by_b{};
    for (i64 t = static_cast<i64>(c[0]); t > 0; --t) {
      const T s = sigmoid(x), carried = w * slope(s);
      x = w * s + b;
      by_w = carried * by_w + s;
      by_b = carried * by_b + Real<T>(1);
    }
    const T s = sigmoid(x), outer = (s - Real<T>(c[2])) * slope(s) * Real<T>(2);
    g[0] = outer * by_w;
    g[1] = outer * by_b;
  }

 private:
  template <class T>
  static OPTLAB_HD T slope(T s) {
    return s * (Real<T>(1) - s);
  }
};

}  // namespace optlab
