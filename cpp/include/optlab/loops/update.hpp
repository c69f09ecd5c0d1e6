// The only element loop of an update rule: what stands around every rule, and what a rule is. T is a scalar on the
// device and a pack on the host; the caller loads and stores.
#pragma once
#include "../special.hpp"

namespace optlab {

/// Options that are the same for every element, tested outside the loop.
enum UpdateFlags : u32 { kMaximize = 1, kWeightDecay = 2, kGuard = 4, kFlagCount = 3 };

/// What a rule says of itself. A layerwise rule needs two norms of every segment before it can step.
struct ElementRule {
  static constexpr bool layerwise = false;
};
struct LayerwiseRule {
  static constexpr bool layerwise = true;
};

/// The hyperparameters around every rule, and their constants in one step. Multiplying by scale = 1 and keep = 1 is
/// exact, so these two need no flag.
struct Around {
  enum Parameter { lr_ratio, weight_decay, decoupled_weight_decay, l1, clip_value, parameters };
  enum Constant { scale, decay, keep, clip, threshold, constants };

  /// p: the parameters above; lr: the learning rate of this step.
  template <class T>
  static OPTLAB_HD void prepare(const T* p, T lr, u32 flags, T* c) {
    c[scale] = Number<T>::splat(flags & kMaximize ? -1.0 : 1.0);
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

/// The gradient a rule sees: turned uphill when maximizing and scaled to the norm allowed, clipped by value, with
/// coupled weight decay.
template <class T>
OPTLAB_HD T effective_gradient(T x, T g, const T* c, u32 flags) {
  g = c[Around::scale] * g;
  if (flags & kGuard) g = clamp(g, c[Around::clip]);
  if (flags & kWeightDecay) g = g + c[Around::decay] * x;
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

/// What a layerwise rule takes the second norm of; moves its states.
template <class F, class T>
OPTLAB_HD T measured(T x, T g, T* s, const T* c, u32 flags) {
  return F::measure(x, effective_gradient(x, g, c, flags), s, c + Around::constants);
}

/// One element through the rule F and all that stands around it: the gradient, decoupled decay, the rule, and the
/// proximal step of the L1 norm.
template <class F, class T>
OPTLAB_HD void update_element(T& x, T g, T* s, const T* c, u32 flags) {
  g = effective_gradient(x, g, c, flags);
  x = c[Around::keep] * x;
  F::step(x, g, s, c + Around::constants);
  if (flags & kGuard) x = x - clamp(x, c[Around::threshold]);
}

}  // namespace optlab
