// Polyak's heavy ball: d = m d - lr g, x += d. The learning rate stands inside the velocity, so under a schedule it is
// not SGD with momentum.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct HeavyBall {
  enum Parameter { lr, momentum, weight_decay, count };
  static constexpr int states = 1;
  static OPTLAB_HD void prepare(const double* p, i64, double* c) {
    for (int i = 0; i < count; ++i) c[i] = p[i];
  }
  template <class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c, u32 flags) {
    s[0] = c[momentum] * s[0] - c[lr] * effective_gradient(x, g, c[weight_decay], flags);
    x = x + s[0];
  }
};

}  // namespace optlab
