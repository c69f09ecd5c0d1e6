#include "cross_entropy.hpp"

#include <stdexcept>
#include <string>

#include "exponentials.hpp"

// In one row, with m = max x, e = exp(x - m), s = sum e, p = e / s, the smoothed targets q and their sum T:
//   loss = T log s + sum q (m - x)     no difference of large numbers: nothing here is negative where q is not
//   d loss / dx = p T - q
//   loss' = sum q (u - x')             with u = <p, x'>
//   (p T - q)' = p (x' - u) T
// The targets are dense packs plus, for class labels, a peak at one class.
namespace optlab {
namespace {

/// A label without smoothing: no dense part.
template <class R>
struct Label {
  static constexpr bool peaked = true, dense = false;
  i64 label;
  R peak;
};

/// (1 - smoothing) at the label, smoothing / classes everywhere.
template <class R>
struct SmoothLabel {
  static constexpr bool peaked = true, dense = true;
  i64 label;
  R peak, everywhere;
  OPTLAB_HD Pack<R> pack(i64, i64) const { return splat(everywhere); }
};

/// (1 - smoothing) t + smoothing / classes.
template <class R>
struct Distribution {
  static constexpr bool peaked = false, dense = true;
  Row<R> given;
  R keep, everywhere;
  OPTLAB_HD Pack<R> pack(i64 i, i64 n) const { return given.pack(i, n) * keep + everywhere; }
};

/// q y, and 0 where q = 0 even if y is infinite: a class that is impossible and never asked for costs nothing.
template <class T>
OPTLAB_HD T expected(T q, T y) {
  return select<T>(q == T{}, T{}, q * y);
}

/// The loss of one row, and its gradient times weight.
template <class R, class Target>
OPTLAB_HD R row_loss(R* d, const Row<R>& x, const Target& q, R weight) {
  const R max = row_max(x);
  ElementSum<R> distance, mass;
  const R sum = exponentials(d, x, max, [&](i64 i, auto n, Pack<R> below, Pack<R>) {
    if constexpr (Target::dense) {
      const Pack<R> share = filled<R>(q.pack(i, n), n);
      distance.add(filled<R>(expected<Pack<R>>(share, -below), n));
      if constexpr (!Target::peaked) mass.add(share);
    }
  });
  const R total = Target::peaked ? R(1) : mass.result();
  if (d) {
    const R scale = weight * total / sum;
    each_pack<R>(x.size, [&](i64 i, auto n) {
      Pack<R> g = stored<R>(d + i, n) * scale;
      if constexpr (Target::dense) g = g - q.pack(i, n) * weight;
      put(d + i, g, n);
    });
    if constexpr (Target::peaked) d[q.label] -= q.peak * weight;
  }
  R loss = total * log<R>(sum);
  if constexpr (Target::dense) loss += distance.result();
  if constexpr (Target::peaked) loss += expected<R>(q.peak, max - x.at[q.label]);
  return loss;
}

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

/// The labels were checked before the call, but another thread may write to them during it.
template <class R>
i64 label_of(const CrossEntropyOf<R>& of, i64 row) {
  const i64 label = *static_cast<const volatile i64*>(of.labels + row);
  if (static_cast<u64>(label) >= static_cast<u64>(of.classes))
    throw std::invalid_argument("labels: changed during the call in row " + std::to_string(row));
  return label;
}

/// row(k, target) -> term of the loss for all rows, with targets of the kind that the call has.
template <class R, class RowTerm>
void each_target(R* loss, const CrossEntropyOf<R>& of, int threads, RowTerm row) {
  const R keep = static_cast<R>(1.0 - of.label_smoothing);
  const R everywhere = static_cast<R>(of.label_smoothing / static_cast<double>(of.classes));
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
    all([&](i64 k) { return Distribution<R>{row_of(of.targets, k, of.rows, of.classes), keep, everywhere}; });
  else if (of.label_smoothing > 0)
    all([&](i64 k) { return SmoothLabel<R>{label_of(of, k), keep, everywhere}; });
  else
    all([&](i64 k) { return Label<R>{label_of(of, k), keep}; });
}

}  // namespace

template <class R>
void softmax_cross_entropy(R* loss, R* dlogits, const CrossEntropyOf<R>& of, int threads) {
  const R weight = of.how.template weight<R>();
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

#define OPTLAB_INSTANTIATE(R)                                                 \
  template void softmax_cross_entropy(R*, R*, const CrossEntropyOf<R>&, int); \
  template void softmax_cross_entropy_tangent(R*, R*, const R*, const CrossEntropyOf<R>&, int);
OPTLAB_INSTANTIATE(float)
OPTLAB_INSTANTIATE(double)

}  // namespace optlab
