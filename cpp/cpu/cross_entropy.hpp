// Softmax cross entropy of (rows, classes): loss and gradient by the logits in one pass, and the derivatives of both.
#pragma once
#include "reduction.hpp"

namespace optlab {

/// One call. The targets of a row are its label's class, or a distribution where labels is null.
template <class R>
struct CrossEntropyOf {
  const R* logits;
  const i64* labels;
  const R* targets;
  i64 rows, classes;
  double label_smoothing;
  Reduction how;
};

/// loss: one number, or one per row for `each`; dlogits may be null.
template <class R>
void softmax_cross_entropy(R* loss, R* dlogits, const CrossEntropyOf<R>& of, int threads);

/// The derivative of both in the direction logits_dot.
template <class R>
void softmax_cross_entropy_tangent(R* loss_dot, R* dlogits_dot, const R* logits_dot, const CrossEntropyOf<R>& of,
                                   int threads);

}  // namespace optlab
