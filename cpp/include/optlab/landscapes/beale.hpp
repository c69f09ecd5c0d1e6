// (3/2 - x + x y)^2 + (9/4 - x + x y^2)^2 + (21/8 - x + x y^3)^2
#pragma once
#include "../portable.hpp"

namespace optlab {

struct Beale {
  static constexpr int coefficients = 0;
  template <class T, class In, class C>
  static OPTLAB_HD T value(In p, i64, const C*) {
    const T x = p[0], y = p[1], y2 = y * y, y3 = y2 * y;
    const T a = residual(x, y, 1.5), b = residual(x, y2, 2.25), c = residual(x, y3, 2.625);
    return a * a + b * b + c * c;
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In p, i64, const C*) {
    using R = Real<T>;
    const T x = p[0], y = p[1], y2 = y * y, y3 = y2 * y;
    const T a = residual(x, y, 1.5), b = residual(x, y2, 2.25), c = residual(x, y3, 2.625);
    g[0] = (a * (y - R(1)) + b * (y2 - R(1)) + c * (y3 - R(1))) * R(2);
    g[1] = x * (a + b * y * R(2) + c * y2 * R(3)) * R(2);
  }

 private:
  template <class T>
  static OPTLAB_HD T residual(T x, T power, double level) {
    return x * (power - Real<T>(1)) + Real<T>(level);
  }
};

}  // namespace optlab
