// sum_i x_i cos(c x_i)
#pragma once
#include "../special.hpp"

namespace optlab {

struct Cosine {
  static constexpr int coefficients = 1;  // c
  template <class X, class C>
  static OPTLAB_HD X value(X x, const C* c) {
    X s, cosine;
    sincos(x * c[0], s, cosine);
    return x * cosine;
  }
  template <class X, class C>
  static OPTLAB_HD X grad(X x, const C* c) {
    const X angle = x * c[0];
    X s, cosine;
    sincos(angle, s, cosine);
    return cosine - angle * s;
  }
};

}  // namespace optlab
