// The middle of every softmax: the exponentials of one row and their sum.
#pragma once
#include "optlab/special.hpp"
#include "rows.hpp"

namespace optlab {

/// Where exp_of_nonpositive ends: below, 2^n would not be normal, and beside the 1 of the row's maximum it is nothing.
template <class R>
inline constexpr R kLeastExponent = sizeof(R) == 4 ? R(-87) : R(-708);

/// exp(x) for x <= 0 to 1 ulp, and 0 below kLeastExponent; two thirds of the work of exp().
template <class T>
OPTLAB_HD T exp_of_nonpositive(T x) {
  const auto lost = x < kLeastExponent<Real<T>>;
  T n;
  const T r = reduce_exponent(select<T>(lost, T{}, x), n);
  return select<T>(lost, T{}, (expm1_reduced(r) + Real<T>(1)) * power_of_two(n));
}

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
