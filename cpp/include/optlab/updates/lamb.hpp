// LAMB: Adam's direction u = m' / (sqrt(v') + eps) + decay w, and per segment w -= lr |w| / |u| u. Where a norm is
// zero, the quotient is 1.
#pragma once
#include "adam.hpp"

namespace optlab {

struct Lamb : LayerwiseRule {
  enum Parameter { lr, beta1, beta2, epsilon, own_decay, parameters };
  enum Constant { rate = Moments::constants, mean, root, eps, decay, constants };
  static constexpr int states = 2;
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    const double t = static_cast<double>(step + 1);
    Moments::prepare(p[beta1], p[beta2], c);
    c[rate] = p[lr];
    c[mean] = 1.0 / one_minus_power(p[beta1], t);
    c[root] = 1.0 / sqrt<T>(one_minus_power(p[beta2], t));
    c[eps] = p[epsilon];
    c[decay] = p[own_decay];
  }
  /// Moves the averages; the direction has to be known before its norm.
  template <class T>
  static OPTLAB_HD T measure(T x, T g, T* s, const T* c) {
    Moments::step(g, s, c);
    return direction(x, s, c);
  }
  template <class T>
  static OPTLAB_HD void adapt(T x_norm, T u_norm, T* c) {
    c[rate] = c[rate] * select<T>(x_norm == T{} || u_norm == T{}, Number<T>::splat(Real<T>(1)), x_norm / u_norm);
  }
  template <class T>
  static OPTLAB_HD void step(T& x, T, T* s, const T* c) {
    x = x - c[rate] * direction(x, s, c);
  }

 private:
  template <class T>
  static OPTLAB_HD T direction(T x, const T* s, const T* c) {
    return c[mean] * s[0] / (sqrt<T>(s[1]) * c[root] + c[eps]) + c[decay] * x;
  }
};

}  // namespace optlab
