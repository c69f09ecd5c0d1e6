#include "cross_entropy.hpp"

#include "cross_entropy_rows.hpp"

namespace optlab {
namespace {

/// The derivatives of the loss and of the gradient times weight in the direction v.
template <class R, class Target>
OPTLAB_HD R row_tangent(R* d_dot, const Row<R>& v, const Row<R>& x, const Target& q, R weight) {
  ElementSum<R> moment, mass, change;
  const R sum = exponentials(d_dot, x, row_max(x), [&](i64 i, auto n, Pack<R>, Pack<R> power) {
    moment.add(filled<R>(power * v.pack(i, n), n));
    if constexpr (!Target::peaked) mass.add(filled<R>(q.pack(i, n), n));
  });
  const R mean = moment.result() / sum, total = Target::peaked ? R(1) : mass.result(), scale = weight * total / sum;
  each_pack<R>(x.size, [&](i64 i, auto n) {
    const Pack<R> away = v.pack(i, n) - mean, power = stored<R>(d_dot + i, n);
    put(d_dot + i, Pack<R>(power * scale * away), n);
    if constexpr (Target::dense) change.add(filled<R>(q.pack(i, n) * -away, n));
  });
  R loss_dot = Target::dense ? change.result() : R(0);
  if constexpr (Target::peaked) loss_dot += q.peak * (mean - v.at[q.label]);
  return loss_dot;
}

/// What a target keeps of itself, and what smoothing gives to every class.
template <class R>
struct Shares {
  Shares(double label_smoothing, i64 classes)
      : keep(static_cast<R>(1.0 - label_smoothing)),
        everywhere(static_cast<R>(label_smoothing / static_cast<double>(classes))) {}
  R keep, everywhere;
};

/// row(k, target) -> term of the loss for all rows, with targets of the kind that the call has.
template <class R, class RowTerm>
void each_target(R* loss, const CrossEntropyOf<R>& of, int threads, RowTerm row) {
  using Of = Row<R>;
  const Shares<R> share(of.label_smoothing, of.classes);
  const auto all = [&](auto target) {
    reduce_chunks(loss, of.how, of.rows, rows_per_chunk(of.classes), threads, [&](i64 begin, i64 end) {
      Sum<R> sum;
      for (i64 k = begin; k < end; ++k) {
        const R term = row(k, target(k));
        of.how.each ? void(loss[k] = term) : sum.add(term);
      }
      return sum.result();
    });
  };
  if (!of.labels)
    all([&](i64 k) {
      return Distribution<Of>{row_of(of.targets, k, of.rows, of.classes), share.keep, share.everywhere};
    });
  else if (of.label_smoothing > 0)
    all([&](i64 k) { return SmoothLabel<Of>{label_at(of.labels, k, of.classes), share.keep, share.everywhere}; });
  else
    all([&](i64 k) { return Label<Of>{label_at(of.labels, k, of.classes), share.keep}; });
}

/// With few classes most lanes of a row would be idle: a row in each lane instead. Behind the last row it stands again.
constexpr i64 kFewClasses = 32;

template <class R>
void turn_rows(Pack<R>* to, const R* from, i64 rows, i64 columns) {
  for (int lane = 0; lane < kLanes<R>; ++lane)
    for (i64 c = 0; c < columns; ++c) to[c][lane] = from[std::min<i64>(lane, rows - 1) * columns + c];
}

template <class R>
Bits<Pack<R>> labels_of(const CrossEntropyOf<R>& of, i64 first, i64 rows) {
  Bits<Pack<R>> labels{};
  for (int lane = 0; lane < rows; ++lane)
    labels[lane] = static_cast<Bits<R>>(label_at(of.labels, first + lane, of.classes));
  return labels;
}

template <class R>
void few_classes(R* loss, R* d, const CrossEntropyOf<R>& of, int threads) {
  const R weight = of.how.template weight<R>();
  const auto group = [&](i64 first, i64 rows) {
    Pack<R> x[kFewClasses], shares[kFewClasses], slopes[kFewClasses];
    turn_rows(x, of.logits + first * of.classes, rows, of.classes);
    LaneTargets<R> targets{of.labels != nullptr, {}, shares, of.label_smoothing};
    if (of.labels)
      targets.labels = labels_of(of, first, rows);
    else
      turn_rows(shares, of.targets + first * of.classes, rows, of.classes);
    const Pack<R> losses = softmax_cross_entropy_lanes(d ? slopes : nullptr, x, of.classes, targets, weight);
    for (int lane = 0; d && lane < rows; ++lane)
      for (i64 c = 0; c < of.classes; ++c) d[(first + lane) * of.classes + c] = slopes[c][lane];
    return losses;
  };
  reduce_chunks(loss, of.how, of.rows, rows_per_chunk(of.classes), threads, [&](i64 begin, i64 end) {
    ElementSum<R> sum;
    each_pack<R>(end - begin, [&](i64 i, i64 rows) {
      const Pack<R> losses = group(begin + i, rows);
      of.how.each ? put(loss + begin + i, losses, rows) : sum.add(filled<R>(losses, rows));
    });
    return sum.result();
  });
}

}  // namespace

template <class R>
Pack<R> softmax_cross_entropy_lanes(Pack<R>* d, const Pack<R>* logits, i64 classes, const LaneTargets<R>& targets,
                                    R weight) {
  using Rows = LaneRows<R>;
  const Shares<R> share(targets.label_smoothing, classes);
  const Rows x{logits, classes};
  if (!targets.labelled)
    return row_loss(d, x, Distribution<Rows>{{targets.shares, classes}, share.keep, share.everywhere}, weight);
  if (targets.label_smoothing > 0)
    return row_loss(d, x, SmoothLabel<Rows>{targets.labels, share.keep, share.everywhere}, weight);
  return row_loss(d, x, Label<Rows>{targets.labels, share.keep}, weight);
}

template <class R>
void softmax_cross_entropy(R* loss, R* dlogits, const CrossEntropyOf<R>& of, int threads) {
  const R weight = of.how.template weight<R>();
  if (of.classes <= kFewClasses) return few_classes(loss, dlogits, of, threads);
  each_target(loss, of, threads, [&](i64 k, const auto& target) {
    return row_loss(dlogits ? dlogits + k * of.classes : nullptr, row_of(of.logits, k, of.rows, of.classes), target,
                    weight);
  });
}

template <class R>
void softmax_cross_entropy_tangent(R* loss_dot, R* dlogits_dot, const R* logits_dot, const CrossEntropyOf<R>& of,
                                   int threads) {
  const R weight = of.how.template weight<R>();
  each_target(loss_dot, of, threads, [&](i64 k, const auto& target) {
    return row_tangent(dlogits_dot + k * of.classes, row_of(logits_dot, k, of.rows, of.classes),
                       row_of(of.logits, k, of.rows, of.classes), target, weight);
  });
}

#define OPTLAB_INSTANTIATE(R)                                                                            \
  template Pack<R> softmax_cross_entropy_lanes(Pack<R>*, const Pack<R>*, i64, const LaneTargets<R>&, R); \
  template void softmax_cross_entropy(R*, R*, const CrossEntropyOf<R>&, int);                            \
  template void softmax_cross_entropy_tangent(R*, R*, const R*, const CrossEntropyOf<R>&, int);
OPTLAB_INSTANTIATE(float)
OPTLAB_INSTANTIATE(double)

}  // namespace optlab
