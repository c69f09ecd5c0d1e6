// sum_i h_i x_i^2 / 2 + q_i x_i^4 / 4, with h_i < 0 in the directions of escape and q_i = 1 there when bounded
#pragma once
#include "../portable.hpp"

namespace optlab {

struct StrictSaddle {
  static constexpr int coefficients = 2;  // h, q
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    const X square = x * x;
    return square * (c[0] * Real<X>(0.5) + square * (c[1] * Real<X>(0.25)));
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    return x * (c[0] + x * x * c[1]);
  }
};

}  // namespace optlab
