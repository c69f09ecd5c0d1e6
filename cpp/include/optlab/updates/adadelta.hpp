// Adadelta: s = rho s + (1 - rho) g^2, d = sqrt(u + eps) / sqrt(s + eps) g, u = rho u + (1 - rho) d^2, x -= lr d.
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct Adadelta : DividingRule {
  enum Parameter { lr, rho, epsilon, parameters };
  enum Constant { rate, keep, fresh, eps, constants };
  static constexpr int states = 2;
  static constexpr const char* state_names = "square_avg,acc_delta";
  static constexpr const char* parameter_names = "lr,rho,eps";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64, T* c) {
    c[rate] = p[lr];
    c[keep] = p[rho];
    c[fresh] = 1.0 - p[rho];
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = c[keep] * s[0] + c[fresh] * (g * g);
    const T move = quotient<rare, T>(sqrt<T>(s[1] + c[eps]), sqrt<T>(s[0] + c[eps])) * g;
    s[1] = c[keep] * s[1] + c[fresh] * (move * move);
    x = x - c[rate] * move;
  }
};

}  // namespace optlab
