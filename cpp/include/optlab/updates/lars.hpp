// LARS: per segment r = trust |w| / (|g| + decay |w| + eps), then v = m v + lr r (g + decay w), w -= v. Where a norm is
// zero, r = 1.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct Lars : LayerwiseRule {
  enum Parameter { lr, momentum, trust_coefficient, own_decay, epsilon, parameters };
  enum Constant { rate, inertia, trust, decay, eps, first, last, constants };
  static constexpr int states = 1;
  static constexpr const char* state_names = "momentum_buffer";
  static constexpr const char* parameter_names = "lr,momentum,trust_coefficient,weight_decay,eps";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    for (int k = 0; k < parameters; ++k) c[k] = p[k];
    c[first] = c[last] = Number<T>::splat(1.0);
  }
  template <class T>
  static OPTLAB_HD void observe(T, T*, const T*) {}
  template <bool, class T>
  static OPTLAB_HD T measure(T, T g, const T*, const T*) {
    return g;
  }
  /// The denominator is taken in the unit of its largest term, by which the step is multiplied before it is divided.
  template <class T>
  static OPTLAB_HD void adapt(ScaledNorm<T> w, ScaledNorm<T> g, T* c) {
    const T one = Number<T>::splat(Real<T>(1));
    const auto decays = c[decay] > T{};
    T unit = select<T>(c[eps] > T{} && one < g.scale, one, g.scale);
    unit = select<T>(decays && w.scale < unit, w.scale, unit);
    const T shrunk = select<T>(decays, c[decay] * (w.root * unit / w.scale), T{});
    const T length = g.root * unit / g.scale + shrunk + c[eps] * unit;
    const auto vanishes = w.root == T{} || g.root == T{};
    c[rate] = c[rate] * select<T>(vanishes, one, c[trust] * w.root / length);
    c[first] = select<T>(vanishes, one, unit);
    c[last] = select<T>(vanishes, one, one / w.scale);
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    const T along = g + c[decay] * x;
    s[0] = c[inertia] * s[0] + (rare ? c[rate] * (along * c[first]) * c[last] : c[rate] * along);
    x = x - s[0];
  }
};

}  // namespace optlab
