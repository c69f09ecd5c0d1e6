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

/// The same with runs in the lanes: adds the terms of n packs, and leaves their gradients times weight in d, unless it
/// is null.
template <class R>
void add_loss_lanes(LossKind kind, ChunkedSum<Pack<R>>& terms, Pack<R>* d, const Pack<R>* prediction,
                    const Pack<R>* target, i64 n, R option, R weight);

/// The derivative of both in the direction prediction_dot.
template <class R>
void loss_tangent(LossKind kind, R* loss_dot, R* dprediction_dot, const R* prediction_dot, const LossOf<R>& of,
                  int threads);

}  // namespace optlab
