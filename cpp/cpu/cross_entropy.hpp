// Softmax cross entropy of (rows, classes): loss and gradient by the logits in one pass, and the derivatives of both.
#pragma once
#include <stdexcept>
#include <string>

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

/// The label of a row. They were checked before the call, but another thread may write to them during it.
inline i64 label_at(const i64* labels, i64 row, i64 classes) {
  const i64 label = *static_cast<const volatile i64*>(labels + row);
  if (static_cast<u64>(label) >= static_cast<u64>(classes))
    throw std::invalid_argument("labels: changed during the call in row " + std::to_string(row));
  return label;
}

/// The targets of one row in each lane: their labels' classes, or distributions.
template <class R>
struct LaneTargets {
  bool labelled;
  Bits<Pack<R>> labels;
  const Pack<R>* shares;
  double label_smoothing;
};

/// The same for one row in each lane, pack c its logits of class c: returns the losses, and leaves their gradients
/// times weight in d, unless it is null.
template <class R>
Pack<R> softmax_cross_entropy_lanes(Pack<R>* d, const Pack<R>* logits, i64 classes, const LaneTargets<R>& targets,
                                    R weight);

/// loss: one number, or one per row for `each`; dlogits may be null.
template <class R>
void softmax_cross_entropy(R* loss, R* dlogits, const CrossEntropyOf<R>& of, int threads);

/// The derivative of both in the direction logits_dot.
template <class R>
void softmax_cross_entropy_tangent(R* loss_dot, R* dlogits_dot, const R* logits_dot, const CrossEntropyOf<R>& of,
                                   int threads);

}  // namespace optlab
