// Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, x -= lr m' / (sqrt(v') + eps), where m' = m / (1 - b1^t) and
// v' = v / (1 - b2^t) unless bias_correction is 0. AMSGrad takes the largest v so far.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

/// The two moving averages, which Adam shares with its descendants.
struct Moments {
  enum Constant { keep1, fresh1, keep2, fresh2, constants };
  template <class T>
  static OPTLAB_HD void prepare(T beta1, T beta2, T* c) {
    c[keep1] = beta1;
    c[fresh1] = 1.0 - beta1;
    c[keep2] = beta2;
    c[fresh2] = 1.0 - beta2;
  }
  template <class T>
  static OPTLAB_HD void step(T g, T* s, const T* c) {
    s[0] = c[keep1] * s[0] + c[fresh1] * g;
    s[1] = c[keep2] * s[1] + c[fresh2] * (g * g);
  }
};

template <bool amsgrad>
struct Adam : DividingRule {
  enum Parameter { lr, beta1, beta2, epsilon, bias_correction, parameters };
  enum Constant { rate = Moments::constants, root, eps, constants };
  static constexpr int states = 2 + amsgrad;
  static constexpr const char* state_names = amsgrad ? "exp_avg,exp_avg_sq,max_exp_avg_sq" : "exp_avg,exp_avg_sq";
  static constexpr const char* parameter_names = "lr,beta1,beta2,eps,bias_correction";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    const double t = static_cast<double>(step + 1);
    const T one = Number<T>::splat(1.0);
    const auto corrected = p[bias_correction] != T{};
    Moments::prepare(p[beta1], p[beta2], c);
    c[rate] = p[lr] / select<T>(corrected, one_minus_power(p[beta1], t), one);
    c[root] = 1.0 / sqrt<T>(select<T>(corrected, one_minus_power(p[beta2], t), one));
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    Moments::step(g, s, c);
    T v = s[1];
    if constexpr (amsgrad) v = s[2] = select<T>(s[2] > v, s[2], v);
    x = x - c[rate] * quotient<rare, T>(s[0], sqrt<T>(v) * c[root] + c[eps]);
  }
};

}  // namespace optlab
