// RMSprop: s = alpha s + (1 - alpha) g^2, x -= lr g / (sqrt(s) + eps); centered takes the square of the mean gradient
// off s, momentum lets b = m b + g / (sqrt(s) + eps) move x.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

template <bool centered, bool with_momentum>
struct RmsProp : DividingRule {
  enum Parameter { lr, alpha, epsilon, momentum, parameters };
  enum Constant { rate, keep, fresh, eps, inertia, constants };
  static constexpr int states = 1 + centered + with_momentum;
  static constexpr const char* state_names =
      centered ? (with_momentum ? "square_avg,grad_avg,momentum_buffer" : "square_avg,grad_avg")
               : (with_momentum ? "square_avg,momentum_buffer" : "square_avg");
  static constexpr const char* parameter_names = "lr,alpha,eps,momentum";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    c[rate] = p[lr];
    c[keep] = p[alpha];
    c[fresh] = 1.0 - p[alpha];
    c[eps] = p[epsilon];
    c[inertia] = p[momentum];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[keep] * s[0] + c[fresh] * (g * g);
    T variance = s[0];
    if constexpr (centered) {
      s[1] = c[keep] * s[1] + c[fresh] * g;
      variance = s[0] - s[1] * s[1];
      variance = select<T>(variance < T{}, T{}, variance);  // rounding alone can make it negative
    }
    const T move = quotient<rare, T>(g, sqrt<T>(variance) + c[eps]);
    if constexpr (with_momentum) {
      T& buffer = s[1 + centered];
      buffer = c[inertia] * buffer + move;
      x = x - c[rate] * buffer;
    } else {
      x = x - c[rate] * move;
    }
  }
};

}  // namespace optlab
