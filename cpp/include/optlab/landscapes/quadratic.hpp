// sum_i h_i x_i^2 / 2
#pragma once
#include "../portable.hpp"

namespace optlab {

struct Quadratic {
  static constexpr int coefficients = 1;  // h
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    return (x * x) * c[0] * Real<X>(0.5);
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    return x * c[0];
  }
};

}  // namespace optlab
