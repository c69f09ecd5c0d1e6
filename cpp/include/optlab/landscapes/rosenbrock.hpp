// sum_i (1 - x_i)^2 + 100 (x_{i+1} - x_i^2)^2
#pragma once
#include "../loops/sum.hpp"

namespace optlab {

struct Rosenbrock {
  static constexpr int coefficients = 0;
  template <class T, class In, class C>
  static OPTLAB_HD T value(In x, i64 n, const C*) {
    Sum<T> sum;
    for (i64 i = 0; i + 1 < n; ++i) {
      const T miss = x[i + 1] - x[i] * x[i], rest = Real<T>(1) - x[i];
      sum.add(rest * rest + miss * miss * Real<T>(100));
    }
    return sum.result();
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In x, i64 n, const C*) {
    T pull{};  // what the previous term leaves on x_i
    for (i64 i = 0; i + 1 < n; ++i) {
      const T miss = (x[i + 1] - x[i] * x[i]) * Real<T>(200);
      g[i] = pull - (Real<T>(1) - x[i]) * Real<T>(2) - x[i] * miss * Real<T>(2);
      pull = miss;
    }
    g[n - 1] = pull;
  }
};

}  // namespace optlab
