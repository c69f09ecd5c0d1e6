// Norms of numbers whose squares may leave the range of their type, and what a step makes of a norm. Numbers are
// brought into range by powers of two, which are exact: where the squares are in range, all bits are those of the plain
// sum.
#pragma once
#include "loops/sum.hpp"
#include "special.hpp"

namespace optlab {

/// A sum of squares below `low` may have lost some that vanish; `up` and `down` bring such numbers, and those whose
/// squares overflow, back into range.
template <class R>
struct SquareRange;
template <>
struct SquareRange<float> {
  static constexpr float low = 0x1p-90f, up = 0x1p90f, down = 0x1p-80f;
};
template <>
struct SquareRange<double> {
  static constexpr double low = 0x1p-700, up = 0x1p600, down = 0x1p-600;
};

/// What numbers have to be multiplied by, given the sum of their squares: 1 where that is in range.
template <class T>
OPTLAB_HD T scale_of_squares(T total) {
  using Range = SquareRange<Real<T>>;
  const T one = Number<T>::splat(1), scale = select<T>(total < Range::low, Number<T>::splat(Range::up), one);
  return select<T>((total - total) == T{}, scale, Number<T>::splat(Range::down));
}

/// A norm as root / scale, where scale is a power of two: the norm itself may be out of range.
template <class T>
struct ScaledNorm {
  T root, scale;
  OPTLAB_HD T value() const { return root / scale; }
};

/// The two ways in which a sum of squares takes its numbers.
struct AsTheyAre {
  static constexpr bool first_time = true;
  template <class P>
  OPTLAB_HD P operator()(P x) const {
    return x;
  }
};
template <class T>
struct ScaledBy {
  static constexpr bool first_time = false;
  T scale;
  template <class P>
  OPTLAB_HD P operator()(P x) const {
    return x * scale;
  }
};

/// The norm of the numbers whose squares sum_with(f) adds up, each number x as f(x). A norm whose squares are too small
/// counts as it is unless it is wanted `of_small` numbers.
#if defined(__CUDACC__)
template <class T, bool of_small = true, class SumWith>
OPTLAB_HD ScaledNorm<T> scaled_norm(const SumWith& sum_with) {  // one copy of the sum: registers count for more
  T scale(1);
  OPTLAB_PRAGMA(unroll 1)
  for (int pass = 0;; ++pass) {
    const T total = sum_with(ScaledBy<T>{scale}), wanted = scale_of_squares(total);
    if (pass == 1 || wanted == T(1) || (!of_small && wanted > T(1))) return {sqrt<T>(total), scale};
    scale = wanted;
  }
}
#else
/// Lanes that do not count, since there is no run in them that goes on, are not the reason of a second sum.
template <class T, bool of_small = true, class SumWith>
OPTLAB_HD ScaledNorm<T> scaled_norm(const SumWith& sum_with, typename Number<T>::Mask counts = T{} == T{}) {
  const T total = sum_with(AsTheyAre{}), one = Number<T>::splat(1), wanted = scale_of_squares(total);
  const T scale = select<T>(counts && (of_small || wanted < one), wanted, one);
  if (!Number<T>::any(scale != one)) return {sqrt<T>(total), scale};
  return {sqrt<T>(T(sum_with(ScaledBy<T>{scale}))), scale};
}
#endif

/// The norm of a point, whose segments are summed each for itself.
template <class T>
class SquaresOfSegments {
 public:
  OPTLAB_HD void add(T element) { segment_.add(element * element); }
  OPTLAB_HD void end_segment() {
    total_.add(segment_.result());
    segment_ = Sum<T>();
  }
  OPTLAB_HD T result() const { return total_.result(); }

 private:
  Sum<T> segment_;
  CarriedTotal<T> total_;
};

/// 2^-e for a normal x in [2^e, 2^(e + 1)).
template <class T>
OPTLAB_HD T inverse_power_of_two(T x) {
  const Bits<T> one = Number<T>::bits(Number<T>::splat(1)), infinite = Bits<T>{} + ConstantsOf<T>::infinity;
  return Number<T>::from_bits(one + one - (Number<T>::bits(x) & infinite));
}

/// The factor that shortens a vector: x * unit * factor. The unit, a power of two, is 1 unless the product of both is
/// so small that it would lose digits.
template <class T>
struct Shortening {
  T unit, factor;
  OPTLAB_HD typename Number<T>::Mask split() const { return unit != Number<T>::splat(1); }
};

/// The two as they are applied, where they apply: their product alone where it has all digits.
template <class T>
OPTLAB_HD Shortening<T> shortening(typename Number<T>::Mask applies, T unit, T factor) {
  const T one = Number<T>::splat(1), product = unit * factor;
  const auto split = applies && product < ConstantsOf<T>::tiny;
  return {select<T>(split, unit, one), select<T>(applies, select<T>(split, factor, product), one)};
}

/// bound / (norm + margin) as a power of two and a factor of the size of bound.
template <class T>
OPTLAB_HD void over_norm(T& unit, T& factor, Real<T> bound, ScaledNorm<T> norm, Real<T> margin) {
  const T one = Number<T>::splat(1), length = norm.root + margin * norm.scale;
  const auto large = length > one && (length - length) == T{};
  const T inverse = select<T>(large, inverse_power_of_two(length), one);
  unit = norm.scale * inverse;
  factor = bound / (length * inverse);
}

/// min(1, bound / (norm + 1e-6)), as PyTorch clips; NaN of a norm that is NaN. Of small numbers the norm does not
/// matter.
template <class T>
OPTLAB_HD Shortening<T> clip_factor(ScaledNorm<T> norm, Real<T> bound) {
  T unit, factor;
  over_norm<T>(unit, factor, bound, norm, Real<T>(1e-6));
  return shortening<T>(!(unit * factor > Number<T>::splat(1)), unit, factor);
}

/// min(1, bound / norm); 1 of a norm that is NaN.
template <class T>
OPTLAB_HD Shortening<T> projection_factor(ScaledNorm<T> norm, Real<T> bound) {
  T unit, factor;
  over_norm<T>(unit, factor, bound, norm, Real<T>(0));
  return shortening<T>(unit * factor < Number<T>::splat(1), unit, factor);
}

}  // namespace optlab
