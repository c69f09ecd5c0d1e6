// What stops a run: a quantity held against a threshold.
#pragma once
#include "portable.hpp"

namespace optlab {

/// Box: the largest excess over a bound is measured; nonfinite: 0, or NaN.
enum class StopKind : i64 { grad_norm, value, distance, box, nonfinite };

/// The reasons of a run that a perturbation did not help, and of one that is no longer finite; those of the rules are
/// counted from 1.
inline constexpr i64 kNoDecrease = -1, kNonfinite = -2;

/// At which steps points are looked at whether they are finite where no rule asks for it: what is not finite stays so,
/// and to look at every step would cost a pass over x.
OPTLAB_HD bool looked_at(i64 t, i64 last_step) {
  return t % 32 == 0 || t == last_step;
}

/// What a coordinate adds to the squared distance.
template <class T>
OPTLAB_HD T distance_term(T apart, T weight) {
  return weight * (apart * apart);
}

/// The larger of what was worst so far and of the excess of x over the bounds.
template <class T>
OPTLAB_HD T further_out(T worst, T x, T low, T high) {
  const T below = low - x, above = x - high;
  const T excess = select<T>(below > above, below, above);
  return select<T>(excess > worst, excess, worst);
}

/// What `kind` makes of a quantity: whether it is NaN, or has reached the threshold from above, or from below.
template <class R>
OPTLAB_HD bool is_met(StopKind kind, bool below, R quantity, R threshold) {
  if (kind == StopKind::nonfinite) return quantity != quantity;
  return below ? quantity <= threshold : quantity >= threshold;
}

}  // namespace optlab
