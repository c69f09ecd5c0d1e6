// Adagrad: s += g^2, x -= lr / (1 + t lr_decay) g / (sqrt(s) + eps).
#pragma once
#include "../loops/update.hpp"

namespace optlab {

struct Adagrad : DividingRule {
  enum Parameter { lr, lr_decay, epsilon, parameters };
  enum Constant { rate, eps, constants };
  static constexpr int states = 1;
  static constexpr const char* state_names = "sum";
  static constexpr const char* parameter_names = "lr,lr_decay,eps";
  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    c[rate] = p[lr] / (1.0 + p[lr_decay] * static_cast<double>(step));
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    s[0] = s[0] + g * g;
    x = x - c[rate] * quotient<rare, T>(g, sqrt<T>(s[0]) + c[eps]);
  }
};

}  // namespace optlab
