// Adamax: m = b1 m + (1 - b1) g, u = max(b2 u, |g| + eps), x -= lr / (1 - b1^t) m / u.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct Adamax : DividingRule {
  enum Parameter { lr, beta1, beta2, epsilon, parameters };
  enum Constant { rate, keep1, fresh1, keep2, eps, constants };
  static constexpr int states = 2;
  static constexpr const char* state_names = "exp_avg,exp_inf";
  static constexpr const char* parameter_names = "lr,beta1,beta2,eps";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    c[rate] = p[lr] / one_minus_power(p[beta1], static_cast<double>(step + 1));
    c[keep1] = p[beta1];
    c[fresh1] = 1.0 - p[beta1];
    c[keep2] = p[beta2];
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[keep1] * s[0] + c[fresh1] * g;
    const T decayed = c[keep2] * s[1], seen = select<T>(g < T{}, -g, g) + c[eps];
    s[1] = select<T>(decayed > seen, decayed, seen);  // a NaN gradient is kept, as every comparison with it fails
    x = x - c[rate] * quotient<rare, T>(s[0], s[1]);
  }
};

}  // namespace optlab
