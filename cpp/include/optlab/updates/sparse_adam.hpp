// SparseAdam: Adam for the rows named only, with eps outside the corrected root, as in PyTorch:
//   x -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps). Which rows those are, the caller knows.
#pragma once
#include "adam.hpp"

namespace optlab {

struct SparseAdam : DividingRule {
  enum Parameter { lr, beta1, beta2, epsilon, parameters };
  enum Constant { rate = Moments::constants, eps, constants };
  static constexpr int states = 2;
  static constexpr const char* state_names = "exp_avg,exp_avg_sq";
  static constexpr const char* parameter_names = "lr,beta1,beta2,eps";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    const double t = static_cast<double>(step + 1);
    Moments::prepare(p[beta1], p[beta2], c);
    c[rate] = p[lr] * sqrt<T>(one_minus_power(p[beta2], t)) / one_minus_power(p[beta1], t);
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    Moments::step(g, s, c);
    x = x - c[rate] * quotient<rare, T>(s[0], sqrt<T>(s[1]) + c[eps]);
  }
};

}  // namespace optlab
