// weight_decay / 2 |theta|^2 + l1 |theta|_1, over all parameters of a network.
#pragma once
#include "network.hpp"
#include "rows.hpp"
#include "spans.hpp"

namespace optlab {

/// Adds the penalty to the value and its gradient, or its derivative in the direction v unless that is null, to g;
/// either may be null. Numbers are the elements of one run, or packs with runs in the lanes.
template <class R, bool runs>
void penalize(R* value, R* g, const R* theta, const R* v, i64 dim, const NetworkLoss& loss) {
  using P = Pack<R>;
  const R decay = static_cast<R>(loss.weight_decay), l1 = static_cast<R>(loss.l1);
  if (decay == 0 && l1 == 0) return;
  const i64 n = runs ? dim * kLanes<R> : dim;
  if (g)
    for_packs<R>(n, [=](i64, auto in, auto out) {
      const P x = in(theta), sign = select<P>(x > P{}, splat(R(1)), select<P>(x < P{}, splat(R(-1)), P{}));
      out(g, in(g) + (v ? in(v) * decay : x * decay + sign * l1));
    });
  if (!value) return;
  std::conditional_t<runs, Sum<P>, ElementSum<R>> squares, sizes;
  each_pack<R>(n, [&](i64 i, i64 m) {
    const P x = stored<R>(theta + i, m);
    squares.add(x * x);
    sizes.add(select<P>(x < P{}, -x, x));
  });
  const auto penalty = decay / 2 * squares.result() + l1 * sizes.result();
  if constexpr (runs)
    store(value, load(value) + penalty);
  else
    *value += penalty;
}

}  // namespace optlab
