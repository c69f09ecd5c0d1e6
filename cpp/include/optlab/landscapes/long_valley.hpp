// sum_i a_i (sqrt(1 + x_i^2) - 1) + k_i x_i^2 / 2: along the floor (a = 1, k = 0) the slope never exceeds 1, the walls
// (a = 0) are steep parabolas
#pragma once
#include "../portable.hpp"

namespace optlab {

struct LongValley {
  static constexpr int coefficients = 2;  // a, k
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    const X square = x * x;  // sqrt(1+s) - 1 = s / (sqrt(1+s) + 1) without cancellation
    return square / (sqrt<X>(square + Real<X>(1)) + Real<X>(1)) * c[0] + square * c[1] * Real<X>(0.5);
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    return x / sqrt<X>(x * x + Real<X>(1)) * c[0] + x * c[1];
  }
};

}  // namespace optlab
