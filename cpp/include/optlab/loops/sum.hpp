// The one summation tree. Terms are dealt to 16 strips; after 256 terms the strips are folded pairwise and the result
// is added to the total with the rounding error carried along (Knuth's two-sum). The order depends on the number of
// terms alone, never on the SIMD width or the layout, and the error stays near 20 ulp for any length.
#pragma once
#include "../portable.hpp"

namespace optlab {

inline constexpr int kStrips = 16;
inline constexpr int kSumBlock = 256;

/// a + b exactly, as a rounded sum that accumulates in `total` and an error that accumulates in `carry`.
template <class T>
struct CarriedTotal {
  T total{}, carry{};
  OPTLAB_HD void add(T term) {
    const T sum = total + term, virtual_term = sum - total;
    carry = carry + ((total - (sum - virtual_term)) + (term - virtual_term));
    total = sum;
  }
  OPTLAB_HD T result() const {  // an infinite total keeps its sign: its carry is NaN
    return select<T>((total - total) == T{}, total + carry, total);
  }
};

/// The strips folded pairwise, in steps known at compile time: strips that stand in registers stay there.
template <int half = kStrips / 2, class T>
OPTLAB_HD T fold_strips(T* strip) {
  OPTLAB_UNROLL(8)
  for (int i = 0; i < half; ++i) strip[i] = strip[i] + strip[i + half];
  if constexpr (half > 1) return fold_strips<half / 2>(strip);
  return strip[0];
}

/// Sums one sequence per lane.
template <class T>
class Sum {
 public:
  OPTLAB_HD void add(T term) {
    T& strip = strips_[count_ % kStrips];
    strip = strip + term;
    if (++count_ == kSumBlock) flush();
  }
  OPTLAB_HD T result() {
    if (count_) flush();
    return total_.result();
  }

 private:
  OPTLAB_HD void flush() {
    total_.add(fold_strips(strips_));
    for (int i = 0; i < kStrips; ++i) strips_[i] = T{};
    count_ = 0;
  }
  T strips_[kStrips]{};
  int count_ = 0;
  CarriedTotal<T> total_;
};

}  // namespace optlab
