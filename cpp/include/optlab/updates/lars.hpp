// LARS: per segment r = trust |w| / (|g| + decay |w| + eps), then v = m v + lr r (g + decay w), w -= v. Where a norm is
// zero, r = 1.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct Lars : LayerwiseRule {
  enum Parameter { lr, momentum, trust_coefficient, own_decay, epsilon, parameters };
  enum Constant { rate, inertia, trust, decay, eps, constants };
  static constexpr int states = 1;
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    for (int k = 0; k < parameters; ++k) c[k] = p[k];
  }
  /// What the second norm is taken of.
  template <class T>
  static OPTLAB_HD T measure(T, T g, T*, const T*) {
    return g;
  }
  template <class T>
  static OPTLAB_HD void adapt(T x_norm, T g_norm, T* c) {
    const T ratio = c[trust] * x_norm / (g_norm + c[decay] * x_norm + c[eps]);
    c[rate] = c[rate] * select<T>(x_norm == T{} || g_norm == T{}, Number<T>::splat(Real<T>(1)), ratio);
  }
  template <class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[inertia] * s[0] + c[rate] * (g + c[decay] * x);
    x = x - s[0];
  }
};

}  // namespace optlab
