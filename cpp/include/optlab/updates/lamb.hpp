// LAMB: Adam's direction u = m' / (sqrt(v') + eps) + decay w, and per segment w -= lr |w| / |u| u. Where a norm is
// zero, the quotient is 1.
#pragma once
#include "adam.hpp"

namespace optlab {

struct Lamb : LayerwiseRule {
  static constexpr bool divides = true;
  enum Parameter { lr, beta1, beta2, epsilon, own_decay, parameters };
  enum Constant { rate = Moments::constants, mean, root, eps, decay, first, last, constants };
  static constexpr int states = 2;
  static constexpr const char* state_names = "exp_avg,exp_avg_sq";
  static constexpr const char* parameter_names = "lr,beta1,beta2,eps,weight_decay";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    const double t = static_cast<double>(step + 1);
    Moments::prepare(p[beta1], p[beta2], c);
    c[rate] = p[lr];
    c[mean] = 1.0 / one_minus_power(p[beta1], t);
    c[root] = 1.0 / sqrt<T>(one_minus_power(p[beta2], t));
    c[eps] = p[epsilon];
    c[decay] = p[own_decay];
    c[first] = c[last] = Number<T>::splat(1.0);
  }
  template <class T>
  static OPTLAB_HD void observe(T g, T* s, const T* c) {
    Moments::step(g, s, c);
  }
  template <bool rare, class T>
  static OPTLAB_HD T measure(T x, T, const T* s, const T* c) {
    return direction<rare>(x, s, c);
  }
  template <class T>
  static OPTLAB_HD void adapt(ScaledNorm<T> w, ScaledNorm<T> u, T* c) {
    const T one = Number<T>::splat(Real<T>(1));
    const auto vanishes = w.root == T{} || u.root == T{};
    c[rate] = c[rate] * select<T>(vanishes, one, w.root / u.root);
    c[first] = select<T>(vanishes, one, u.scale);
    c[last] = select<T>(vanishes, one, one / w.scale);
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T, T* s, const T* c) {
    const T along = direction<rare>(x, s, c);
    x = x - (rare ? c[rate] * (along * c[first]) * c[last] : c[rate] * along);
  }

 private:
  template <bool rare, class T>
  static OPTLAB_HD T direction(T x, const T* s, const T* c) {
    return quotient<rare, T>(c[mean] * s[0], sqrt<T>(s[1]) * c[root] + c[eps]) + c[decay] * x;
  }
};

}  // namespace optlab
