// sum_i x_i^2 + a (1 - cos(2 pi x_i))
#pragma once
#include "../special.hpp"

namespace optlab {

struct Rastrigin {
  static constexpr int coefficients = 1;  // a
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    X s, cosine;
    sincos_turns(x, s, cosine);
    return x * x + (Real<X>(1) - cosine) * c[0];
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    X s, cosine;
    sincos_turns(x, s, cosine);
    return x * Real<X>(2) + s * (c[0] * Real<X>(2 * kPi));
  }
};

}  // namespace optlab
