// Softmax cross entropy of (rows, classes), a team to a row: the formulas stand in optlab/cross_entropy.hpp. A label
// that names no class makes its row NaN.
#include "cuda/rows.cuh"
#include "optlab/cross_entropy.hpp"

namespace optlab {
namespace cross_entropy {

/// The smoothed targets of a row: a peak at the label and `everywhere`, or a distribution.
template <class R>
struct Target {
  const R* given;
  i64 label;
  R keep, everywhere;

  __device__ R at(i64 i) const { return given ? given[i] * keep + everywhere : everywhere; }
  __device__ bool peaks(i64 i) const { return !given && i == label; }
};

/// What both passes need of a row.
template <class R>
struct Row {
  const R* x;
  i64 classes;
  Target<R> q;
  bool valid;

  __device__ Row(const R* logits, const i64* labels, const R* targets, i64 row, i64 of_classes, R keep, R everywhere)
      : x(logits + row * of_classes),
        classes(of_classes),
        q{targets ? targets + row * of_classes : nullptr, labels ? labels[row] : 0, keep, everywhere},
        valid(q.label >= 0 && q.label < of_classes) {}
  template <class Team>
  __device__ R max() const {
    R own = x[0];
    each<Team>([&](i64 i) { own = x[i] > own ? x[i] : own; });
    return Team::all(own, [](R a, R b) { return a > b ? a : b; });
  }
  template <class Team, class Visit>
  __device__ void each(Visit visit) const {
    for (i64 i = Team::rank(); i < classes; i += Team::threads) visit(i);
  }
  /// A row of NaN where the label names no class.
  __device__ R checked(R loss) const { return valid ? loss : Number<R>::from_bits(Constants<R>::nan); }
};

}  // namespace cross_entropy

#define OPTLAB_CROSS_ENTROPY_ARGUMENTS \
  const R *logits, const i64 *labels, const R *targets, i64 rows, i64 classes, R keep, R everywhere, R weight

/// A loss per row, and the gradients times weight in d, unless it is null.
template <class R, int team>
__global__ void __launch_bounds__(kThreads) softmax_cross_entropy(R* losses, R* d, OPTLAB_CROSS_ENTROPY_ARGUMENTS) {
  using T = Team<team>;
  const i64 row = T::row();
  if (row >= rows) return;  // a whole team
  const cross_entropy::Row<R> of(logits, labels, targets, row, classes, keep, everywhere);
  const R max = of.template max<T>();
  RowTotal<R> powers, distance, mass;
  of.template each<T>([&](i64 i) {
    const R below = of.x[i] - max, share = of.q.at(i);
    powers.add(exp_of_nonpositive<R>(below));
    distance.add(expected<R>(share, -below));
    if (targets) mass.add(share);
  });
  const R sum = powers.template sum<T>(), total = targets ? mass.template sum<T>() : R(1);
  const R scale = of.checked(weight * total / sum);
  if (d)
    of.template each<T>([&](i64 i) {
      const R g = exp_of_nonpositive<R>(of.x[i] - max) * scale - of.q.at(i) * weight;
      d[row * classes + i] = of.q.peaks(i) ? g - keep * weight : g;
    });
  R loss = total * log<R>(sum) + distance.template sum<T>();
  if (!targets && of.valid) loss = loss + expected<R>(keep, max - of.x[of.q.label]);
  if (T::rank() == 0) losses[row] = of.checked(loss);
}

/// The derivatives of both in the direction v.
template <class R, int team>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_tangent(R* losses_dot, R* d_dot, const R* v, OPTLAB_CROSS_ENTROPY_ARGUMENTS) {
  using T = Team<team>;
  const i64 row = T::row();
  if (row >= rows) return;
  const cross_entropy::Row<R> of(logits, labels, targets, row, classes, keep, everywhere);
  const R* move = v + row * classes;
  const R max = of.template max<T>();
  RowTotal<R> powers, moment, mass, change;
  of.template each<T>([&](i64 i) {
    const R power = exp_of_nonpositive<R>(of.x[i] - max);
    powers.add(power);
    moment.add(power * move[i]);
    if (targets) mass.add(of.q.at(i));
  });
  const R sum = powers.template sum<T>(), mean = moment.template sum<T>() / sum;
  const R total = targets ? mass.template sum<T>() : R(1), scale = of.checked(weight * total / sum);
  of.template each<T>([&](i64 i) {
    const R away = move[i] - mean;
    d_dot[row * classes + i] = exp_of_nonpositive<R>(of.x[i] - max) * scale * away;
    change.add(of.q.at(i) * -away);
  });
  R loss = change.template sum<T>();
  if (!targets && of.valid) loss = loss + keep * (mean - move[of.q.label]);
  if (T::rank() == 0) losses_dot[row] = of.checked(loss);
}

}  // namespace optlab
