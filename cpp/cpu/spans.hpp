// The loop over a span in packs with its tail, for element-wise kernels.
#pragma once
#include "pack.hpp"

namespace optlab {

/// Calls work(i, in, out) for every pack of a span of n elements, i being its first. in(from) loads the pack of an
/// array and out(to, pack) stores it; in the last pack they touch only what is there.
template <class R, class Work>
OPTLAB_HD void for_packs(i64 n, Work work) {
  constexpr int lanes = kLanes<R>;
  i64 i = 0;
  for (; i + lanes <= n; i += lanes)
    work(i, [i](const R* from) { return load(from + i); }, [i](R* to, Pack<R> pack) { store(to + i, pack); });
  const i64 left = n - i;
  if (left > 0)
    work(
        i, [i, left](const R* from) { return load_part(from + i, left); },
        [i, left](R* to, Pack<R> pack) { store_part(to + i, pack, left); });
}

}  // namespace optlab
