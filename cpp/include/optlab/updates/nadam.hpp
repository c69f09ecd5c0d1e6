// NAdam: Adam's averages with Nesterov's look-ahead under a momentum that warms up, mu_t = b1 (1 - 0.96^(t psi) / 2):
//   x -= lr [ (1 - mu_t) / (1 - M_t) g + mu_{t+1} / (1 - M_{t+1}) m ] / (sqrt(v / (1 - b2^t)) + eps),  M_t = mu_1 ...
//   mu_t
#pragma once
#include "adam.hpp"

namespace optlab {

struct NAdam : DividingRule {
  enum Parameter { lr, beta1, beta2, epsilon, momentum_decay, parameters };
  enum Constant { now = Moments::constants, ahead, root, eps, constants };
  static constexpr int states = 2;
  static constexpr const char* state_names = "exp_avg,exp_avg_sq";
  static constexpr const char* parameter_names = "lr,beta1,beta2,eps,momentum_decay";

  template <class T>
  static OPTLAB_HD void prepare(const T* p, i64 step, T* c) {
    const double t = static_cast<double>(step + 1);
    const T a = p[momentum_decay] * -0.040821994520255166;  // psi log 0.96
    const T mu = p[beta1] * (1.0 - 0.5 * exp<T>(a * t)), next = p[beta1] * (1.0 - 0.5 * exp<T>(a * (t + 1.0)));
    const T product = (1.0 - one_minus_power(p[beta1], t)) * warm_up_product(a, t);
    Moments::prepare(p[beta1], p[beta2], c);
    c[now] = p[lr] * (1.0 - mu) / (1.0 - product);
    c[ahead] = p[lr] * next / (1.0 - product * next);
    c[root] = 1.0 / sqrt<T>(one_minus_power(p[beta2], t));
    c[eps] = p[epsilon];
  }
  template <bool rare, class T>
  static OPTLAB_HD void step(T& x, T g, T* s, const T* c) {
    Moments::step(g, s, c);
    x = x - quotient<rare, T>(c[now] * g + c[ahead] * s[0], sqrt<T>(s[1]) * c[root] + c[eps]);
  }

 private:
  /// prod_{i=1..t} (1 - q^i / 2) with q = e^a, without a loop over i and so without drift or state: its logarithm is
  /// -sum_k (q / 2)^k / k * (1 - q^{kt}) / (1 - q^k). Both differences grow by sums of positive terms; where a = 0
  /// their quotient is t.
  template <class T>
  static OPTLAB_HD T warm_up_product(T a, double t) {
    const T q = exp<T>(a), power = exp<T>(a * t), first = -expm1<T>(a), first_power = -expm1<T>(a * t);
    T factor = 0.5 * q, weight = factor, qk = q, qkt = power, below = first, above = first_power, sum{};
    for (int k = 1; k <= 60; ++k) {
      sum = sum + weight / static_cast<double>(k) * select<T>(below == T{}, Number<T>::splat(t), above / below);
      weight = weight * factor;
      below = below + qk * first;
      above = above + qkt * first_power;
      qk = qk * q;
      qkt = qkt * power;
    }
    return exp<T>(-sum);
  }
};

}  // namespace optlab
