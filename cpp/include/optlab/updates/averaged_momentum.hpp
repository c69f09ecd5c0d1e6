// Momentum as an average of gradients: v = m v + (1 - m) g, x -= lr v.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct AveragedMomentum : ElementRule {
  enum Parameter { lr, momentum, parameters };
  enum Constant { rate, keep, fresh, constants };
  static constexpr int states = 1;
  static constexpr const char* state_names = "exp_avg";
  static constexpr const char* parameter_names = "lr,momentum";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    c[rate] = p[lr];
    c[keep] = p[momentum];
    c[fresh] = 1.0 - p[momentum];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[keep] * s[0] + c[fresh] * g;
    x = x - c[rate] * s[0];
  }
};

}  // namespace optlab
