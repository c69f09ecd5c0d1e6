// Loops over a span in packs with its tail, for element-wise kernels.
#pragma once
#include <type_traits>

#include "pack.hpp"

namespace optlab {

/// The n numbers from `from` on, n = lanes being known at compile time in most loops; zeros behind them.
template <class R>
OPTLAB_HD Pack<R> load_some(const R* from, i64 n) {
  return n == kLanes<R> ? load(from) : load_part(from, n);
}
template <class R>
OPTLAB_HD void store_some(R* to, Pack<R> p, i64 n) {
  n == kLanes<R> ? store(to, p) : store_part(to, p, n);
}

/// visit(i, n) for the packs of `size` numbers: n lanes from i on, where n is a constant but for the last.
template <class R, class Visit>
OPTLAB_HD void each_pack(i64 size, const Visit& visit) {
  constexpr i64 lanes = kLanes<R>;
  i64 i = 0;
  for (; i + lanes <= size; i += lanes) visit(i, std::integral_constant<i64, lanes>());
  if (i < size) visit(i, size - i);
}

/// Calls work(i, in, out) for every pack of a span of n elements, i being its first. in(from) loads the pack of an
/// array and out(to, pack) stores it; in the last pack they touch only what is there.
template <class R, class Work>
OPTLAB_HD void for_packs(i64 n, Work work) {
  each_pack<R>(n, [&](i64 i, auto count) {
    work(
        i, [=](const R* from) { return load_some(from + i, count); },
        [=](R* to, Pack<R> pack) { store_some(to + i, pack, count); });
  });
}

}  // namespace optlab
