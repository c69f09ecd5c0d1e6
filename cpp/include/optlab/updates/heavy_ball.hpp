// Polyak's heavy ball: d = m d - lr g, x += d. The learning rate stands inside the velocity, so under a schedule it is
// not SGD with momentum.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct HeavyBall : ElementRule {
  enum Parameter { lr, momentum, parameters };
  static constexpr int states = 1, constants = parameters;
  static constexpr const char* state_names = "delta";
  static constexpr const char* parameter_names = "lr,momentum";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    c[lr] = p[lr];
    c[momentum] = p[momentum];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[momentum] * s[0] - c[lr] * g;
    x = x + s[0];
  }
};

}  // namespace optlab
