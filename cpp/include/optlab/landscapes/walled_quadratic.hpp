// sum_i h_i x_i^2 / 2 + x_i^10: a quadratic, saddles included, inside the wall of a high power
#pragma once
#include "../portable.hpp"

namespace optlab {

struct WalledQuadratic {
  static constexpr int coefficients = 1;  // h
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    const X square = x * x, fourth = square * square;
    return square * (c[0] * Real<X>(0.5) + fourth * fourth);
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    const X square = x * x, fourth = square * square;
    return x * (c[0] + fourth * fourth * Real<X>(10));
  }
};

}  // namespace optlab
