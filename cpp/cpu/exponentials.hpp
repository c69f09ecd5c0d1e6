// The middle of every softmax: the exponentials of one row and their sum.
#pragma once
#include "optlab/special.hpp"
#include "rows.hpp"

namespace optlab {

/// exp(x - max) into e unless it is null, and their sum; also(i, n, x - max, exp(x - max)) sees every pack, with +0 for
/// the exponentials behind the end.
template <class Rows, class Also>
OPTLAB_HD auto exponentials(typename Rows::Scalar* e, const Rows& x, typename Rows::Scalar max, Also also) {
  using R = typename Rows::Element;
  typename Rows::Total sum;
  x.each([&](i64 i, auto n) {
    const Pack<R> below = x.pack(i, n) - max, power = filled<R>(exp_of_nonpositive<Pack<R>>(below), n);
    sum.add(power);
    if (e) put<R>(e + i, power, n);
    also(i, n, below, power);
  });
  return sum.result();
}

}  // namespace optlab
