// Element-wise losses: value and gradient in one pass, and the derivatives of both in a direction.
#pragma once
#include "optlab/losses/list.hpp"
#include "reduction.hpp"

namespace optlab {

enum class LossKind {
#define OPTLAB_LOSS(name, Functor) name,
  OPTLAB_LOSSES(OPTLAB_LOSS)
#undef OPTLAB_LOSS
};

/// One call: n predictions and targets, the option of the rule and the reduction.
template <class R>
struct LossOf {
  const R *prediction, *target;
  i64 n;
  double option;
  Reduction how;
};

/// loss: one number, or n for `each`; dprediction may be null.
template <class R>
void loss(LossKind kind, R* loss, R* dprediction, const LossOf<R>& of, int threads);

/// The derivative of both in the direction prediction_dot.
template <class R>
void loss_tangent(LossKind kind, R* loss_dot, R* dprediction_dot, const R* prediction_dot, const LossOf<R>& of,
                  int threads);

}  // namespace optlab
