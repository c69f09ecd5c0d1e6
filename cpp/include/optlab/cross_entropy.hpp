// Softmax cross entropy of one row. With m = max x, e = exp(x - m), s = sum e, p = e / s, the smoothed targets q and
// their sum T:
//   loss = T log s + sum q (m - x)     no difference of large numbers: nothing here is negative where q is not
//   d loss / dx = p T - q
//   loss' = sum q (u - x')             with u = <p, x'>
//   (p T - q)' = p (x' - u) T
#pragma once
#include "special.hpp"

namespace optlab {

/// q y, and 0 where q = 0 even if y is infinite: a class that is impossible and never asked for costs nothing.
template <class T>
OPTLAB_HD T expected(T q, T y) {
  return select<T>(q == T{}, T{}, q * y);
}

}  // namespace optlab
