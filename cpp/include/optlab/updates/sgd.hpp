// Stochastic gradient descent, with the accumulated momentum of PyTorch: v = m v + (1 - dampening) g, and
//   plain     x -= lr g          momentum  x -= lr v          Nesterov  x -= lr (g + m v)
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct SgdConstants {
  enum Parameter { lr, momentum, dampening, weight_decay, count };
  /// The first step starts the velocity with the whole gradient, as PyTorch does.
  static OPTLAB_HD void prepare(const double* p, i64 step, double* c) {
    c[lr] = p[lr];
    c[momentum] = p[momentum];
    c[dampening] = step == 0 ? 1.0 : 1.0 - p[dampening];
    c[weight_decay] = p[weight_decay];
  }
};

struct Sgd : SgdConstants {
  static constexpr int states = 0;
  template <class T>
  static OPTLAB_HD void step(T& x, T g, T*, const T* c, u32 flags) {
    x = x - c[lr] * effective_gradient(x, g, c[weight_decay], flags);
  }
};

struct SgdMomentum : SgdConstants {
  static constexpr int states = 1;
  template <class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c, u32 flags) {
    s[0] = c[momentum] * s[0] + c[dampening] * effective_gradient(x, g, c[weight_decay], flags);
    x = x - c[lr] * s[0];
  }
};

struct SgdNesterov : SgdConstants {
  static constexpr int states = 1;
  template <class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c, u32 flags) {
    g = effective_gradient(x, g, c[weight_decay], flags);
    s[0] = c[momentum] * s[0] + c[dampening] * g;
    x = x - c[lr] * (g + c[momentum] * s[0]);
  }
};

}  // namespace optlab
