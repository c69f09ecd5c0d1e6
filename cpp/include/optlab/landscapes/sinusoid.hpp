// sum_{i=1,2} a_i sin(b_i x + c_i y) + d_i cos(e_i x + f_i y); the coefficients are (a, b, c, d, e, f) for i = 1, then
// 2
#pragma once
#include "../special.hpp"

namespace optlab {

struct Sinusoid {
  static constexpr int coefficients = 12;
  template <class T, class In, class C>
  static OPTLAB_HD T value(In p, i64, const C* k) {
    T s1, c1, s2, c2, s3, c3, s4, c4;
    waves<T>(p, k, s1, c1, s2, c2);
    waves<T>(p, k + 6, s3, c3, s4, c4);
    return s1 * k[0] + c2 * k[3] + s3 * k[6] + c4 * k[9];
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In p, i64, const C* k) {
    T s1, c1, s2, c2, s3, c3, s4, c4;
    waves<T>(p, k, s1, c1, s2, c2);
    waves<T>(p, k + 6, s3, c3, s4, c4);
    for (int j = 0; j < 2; ++j)
      g[j] = c1 * (k[0] * k[1 + j]) - s2 * (k[3] * k[4 + j]) + c3 * (k[6] * k[7 + j]) - s4 * (k[9] * k[10 + j]);
  }

 private:
  template <class T, class In, class C>
  static OPTLAB_HD void waves(In p, const C* k, T& s1, T& c1, T& s2, T& c2) {
    const T x = p[0], y = p[1];
    sincos(T(x * k[1] + y * k[2]), s1, c1);
    sincos(T(x * k[4] + y * k[5]), s2, c2);
  }
};

}  // namespace optlab
