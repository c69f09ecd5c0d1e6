// The only element loop of an update rule: what stands around every rule, and what a rule is. T is a scalar on the
// device and a pack on the host; the caller loads and stores.
#pragma once
#include "../norms.hpp"

namespace optlab {

/// Options that are the same for every element, tested outside the loop. Rare: eps is 0, so that 0 / 0 may come up, or
/// a norm is out of the range where squares are, or a factor that clips is too small for one number.
enum UpdateFlags : u32 { kMaximize = 1, kWeightDecay = 2, kGuard = 4, kRare = 8 };

/// a / b for b >= 0; where it is rare, 0 / 0 is 0: the limit of a step whose gradients have been 0 as eps goes to 0.
template <bool rare, class T>
OPTLAB_HD T quotient(T a, T b) {
  return rare ? select<T>(a == T{}, a, a / b) : a / b;
}

/// What a rule says of itself. A layerwise rule needs two norms of every segment before it can step: it observes the
/// gradients, which moves its states, and measures what the second norm is taken of, perhaps more than once.
struct ElementRule {
  static constexpr bool layerwise = false, divides = false;
};
struct DividingRule {  ///< by what is 0 where eps and all gradients are
  static constexpr bool layerwise = false, divides = true;
};
struct LayerwiseRule {
  static constexpr bool layerwise = true, divides = false;
};

/// The hyperparameters around every rule, and their constants in one step. Multiplying by scale = 1 and keep = 1 is
/// exact, so these two need no flag.
struct Around {
  enum Parameter { lr_ratio, weight_decay, decoupled_weight_decay, l1, clip_value, parameters };
  enum Constant { scale, unit, decay, keep, clip, threshold, constants };

  /// p: the parameters above; lr: the learning rate of this step.
  template <class T>
  static OPTLAB_HD void prepare(const T* p, T lr, u32 flags, T* c) {
    c[scale] = Number<T>::splat(flags & kMaximize ? -1.0 : 1.0);
    c[unit] = Number<T>::splat(1.0);
    c[decay] = p[weight_decay];
    c[keep] = 1.0 - lr * p[decoupled_weight_decay];
    c[clip] = p[clip_value];
    c[threshold] = lr * p[l1];
  }
};

/// x inside [-bound, bound]; NaN stays.
template <class T>
OPTLAB_HD T clamp(T x, T bound) {
  const T below = select<T>(x > bound, bound, x);
  return select<T>(below < -bound, -bound, below);
}

/// The rare loop has all options: what a segment does not want, number 0, must leave no trace, not even in the sign of
/// a zero.
template <class T>
OPTLAB_HD T chosen(u32 flags, T number, T without, T with) {
  return flags & kRare ? select<T>(number == T{}, without, with) : with;
}

/// The gradient a rule sees: turned uphill when maximizing and scaled to the norm allowed, clipped by value, with
/// coupled weight decay.
template <class T>
OPTLAB_HD T effective_gradient(T x, T g, const T* c, u32 flags) {
  if (flags & kRare) g = c[Around::unit] * g;
  g = c[Around::scale] * g;
  if (flags & kGuard) g = clamp(g, c[Around::clip]);
  if (flags & kWeightDecay) g = chosen<T>(flags, c[Around::decay], g, g + c[Around::decay] * x);
  return g;
}

/// The constants of one step, those around the rule and then its own, from the hyperparameters in the same order.
template <class F, class T>
OPTLAB_HD void prepare_constants(const T* parameters, i64 step, u32 flags, T* constants) {
  T own[F::parameters];
  for (int k = 0; k < F::parameters; ++k) own[k] = parameters[Around::parameters + k];
  own[0] = own[0] * parameters[Around::lr_ratio];
  Around::prepare(parameters, own[0], flags, constants);
  F::prepare(own, step, constants + Around::constants);
}

/// What a layerwise rule takes the second norm of; the first time its states move.
template <class F, bool first_time, class T>
OPTLAB_HD T measured(T x, T g, T* s, const T* c, u32 flags) {
  g = effective_gradient(x, g, c, flags);
  if (first_time) F::observe(g, s, c + Around::constants);
  if (flags & kRare) return F::template measure<true, T>(x, g, s, c + Around::constants);
  return F::template measure<false, T>(x, g, s, c + Around::constants);
}

/// The norms of a segment's weights and of what its rule measures. squares(sums, of_x, of_u) adds up the squares of
/// of_x(x) and of_u(u): of the numbers as they are, which moves the states, and again where a sum leaves the range.
/// Lanes that do not count are no reason for that.
template <class T, class Squares>
OPTLAB_HD void layer_norms(ScaledNorm<T>* norms, const Squares& squares, typename Number<T>::Mask counts) {
  T sums[2];
  squares(sums, AsTheyAre{}, AsTheyAre{});
  const T one = Number<T>::splat(1);
  for (int k = 0; k < 2; ++k) norms[k].scale = select<T>(counts, scale_of_squares(sums[k]), one);
  if (Number<T>::any(norms[0].scale != one || norms[1].scale != one))
    squares(sums, ScaledBy<T>{norms[0].scale}, ScaledBy<T>{norms[1].scale});
  for (int k = 0; k < 2; ++k) norms[k].root = sqrt<T>(sums[k]);
}

/// One element through the rule F and all that stands around it: the gradient, decoupled decay, the rule, and the
/// proximal step of the L1 norm.
template <class F, class T>
OPTLAB_HD void update_element(T& x, T g, T* s, const T* c, u32 flags) {
  g = effective_gradient(x, g, c, flags);
  x = c[Around::keep] * x;
  if (flags & kRare)
    F::template step<true, T>(x, g, s, c + Around::constants);
  else
    F::template step<false, T>(x, g, s, c + Around::constants);
  if (flags & kGuard) x = chosen<T>(flags, c[Around::threshold], x, x - clamp(x, c[Around::threshold]));
}

}  // namespace optlab
