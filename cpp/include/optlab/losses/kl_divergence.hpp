// A term of the Kullback-Leibler divergence: t (log t - p) of the log-probability p, and 0 where t = 0.
#pragma once
#include "../special.hpp"

namespace optlab {

struct KlDivergence {
  template <class T>
  static OPTLAB_HD T value(T p, T t, Real<T>) {
    return select<T>(t == T{}, T{}, t * (log<T>(t) - p));
  }
  template <class T>
  static OPTLAB_HD T slope(T, T t, Real<T>) {
    return T{} - t;  // 0 and not -0 where t = 0
  }
  template <class T>
  static OPTLAB_HD T curvature(T, T, Real<T>) {
    return T{};
  }
};

}  // namespace optlab
