// Softmax cross entropy (optlab/cross_entropy.hpp) of one row, or of one row in each lane. The targets are dense packs
// plus, for class labels, a peak at one class.
#pragma once
#include "exponentials.hpp"
#include "optlab/cross_entropy.hpp"

namespace optlab {

/// A label without smoothing: no dense part.
template <class Rows>
struct Label {
  static constexpr bool peaked = true, dense = false;
  typename Rows::Index label;
  typename Rows::Element peak;
};

/// (1 - smoothing) at the label, smoothing / classes everywhere.
template <class Rows>
struct SmoothLabel {
  static constexpr bool peaked = true, dense = true;
  using R = typename Rows::Element;
  typename Rows::Index label;
  R peak, everywhere;
  OPTLAB_HD Pack<R> pack(i64, i64) const { return splat(everywhere); }
};

/// (1 - smoothing) t + smoothing / classes.
template <class Rows>
struct Distribution {
  static constexpr bool peaked = false, dense = true;
  using R = typename Rows::Element;
  Rows given;
  R keep, everywhere;
  OPTLAB_HD Pack<R> pack(i64 i, i64 n) const { return given.pack(i, n) * keep + everywhere; }
};

template <class R>
OPTLAB_HD R chosen(const Row<R>& x, i64 label) {
  return x.at[label];
}
template <class R>
OPTLAB_HD Pack<R> chosen(const LaneRows<R>& x, Bits<Pack<R>> label) {
  Pack<R> at = x.at[0];
  for (i64 i = 1; i < x.size; ++i) at = select<Pack<R>>(label == static_cast<Bits<R>>(i), x.at[i], at);
  return at;
}
template <class R>
OPTLAB_HD void lower(R* d, const Row<R>&, i64 label, R by) {
  d[label] -= by;
}
template <class R>
OPTLAB_HD void lower(Pack<R>* d, const LaneRows<R>& x, Bits<Pack<R>> label, R by) {
  for (i64 i = 0; i < x.size; ++i) d[i] = select<Pack<R>>(label == static_cast<Bits<R>>(i), d[i] - by, d[i]);
}

/// The loss of a row, and its gradient times weight.
template <class Rows, class Target>
OPTLAB_HD typename Rows::Scalar row_loss(typename Rows::Scalar* d, const Rows& x, const Target& q,
                                         typename Rows::Element weight) {
  using R = typename Rows::Element;
  using T = typename Rows::Scalar;
  const T max = row_max(x);
  typename Rows::Total distance, mass;
  const T sum = exponentials(d, x, max, [&](i64 i, auto n, Pack<R> below, Pack<R>) {
    if constexpr (Target::dense) {
      const Pack<R> share = filled<R>(q.pack(i, n), n);
      distance.add(filled<R>(expected<Pack<R>>(share, -below), n));
      if constexpr (!Target::peaked) mass.add(share);
    }
  });
  const T total = Target::peaked ? Number<T>::splat(R(1)) : mass.result();
  if (d) {
    const T scale = weight * total / sum;
    x.each([&](i64 i, auto n) {
      Pack<R> g = stored<R>(d + i, n) * scale;
      if constexpr (Target::dense) g = g - q.pack(i, n) * weight;
      put<R>(d + i, g, n);
    });
    if constexpr (Target::peaked) lower<R>(d, x, q.label, q.peak * weight);
  }
  T loss = total * log<T>(sum);
  if constexpr (Target::dense) loss = loss + distance.result();
  if constexpr (Target::peaked) loss = loss + expected<T>(Number<T>::splat(q.peak), max - chosen<R>(x, q.label));
  return loss;
}

}  // namespace optlab
