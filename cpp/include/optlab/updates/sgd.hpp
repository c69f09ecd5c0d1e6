// Stochastic gradient descent, with the accumulated momentum of PyTorch: v = m v + (1 - dampening) g, and
//   plain     x -= lr g          momentum  x -= lr v          Nesterov  x -= lr (g + m v)
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct SgdConstants : ElementRule {
  enum Parameter { lr, momentum, dampening, parameters };
  static constexpr const char* parameter_names = "lr,momentum,dampening";
  static constexpr int constants = parameters;
  /// The first step starts the velocity with the whole gradient, as PyTorch does.
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    c[lr] = p[lr];
    c[momentum] = p[momentum];
    c[dampening] = step == 0 ? Number<T>::splat(1.0) : 1.0 - p[dampening];
  }
};

struct Sgd : SgdConstants {
  static constexpr int states = 0;
  static constexpr const char* state_names = "";
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T*, const T* c) {
    x = x - c[lr] * g;
  }
};

struct SgdMomentum : SgdConstants {
  static constexpr int states = 1;
  static constexpr const char* state_names = "momentum_buffer";
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[momentum] * s[0] + c[dampening] * g;
    x = x - c[lr] * s[0];
  }
};

struct SgdNesterov : SgdConstants {
  static constexpr int states = 1;
  static constexpr const char* state_names = "momentum_buffer";
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[momentum] * s[0] + c[dampening] * g;
    x = x - c[lr] * (g + c[momentum] * s[0]);
  }
};

}  // namespace optlab
