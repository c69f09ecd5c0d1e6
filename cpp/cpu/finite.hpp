// Where the first number stands that is NaN or infinite.
#pragma once
#include "spans.hpp"

namespace optlab {

/// Zeros, or NaN in the lanes where one of the numbers x so far was not finite.
template <class P>
OPTLAB_HD P seen_with(P seen, P x) {
  return seen + x * Real<P>(0);
}

/// The same of all lanes of n numbers, in chains that do not wait for each other.
template <class R>
Pack<R> seen_in(const R* x, i64 n) {
  constexpr int chains = 4;
  constexpr i64 lanes = kLanes<R>;
  Pack<R> seen[chains]{};
  i64 i = 0;
  for (; i + chains * lanes <= n; i += chains * lanes)
    for (int k = 0; k < chains; ++k) seen[k] = seen_with(seen[k], load(x + i + k * lanes));
  each_pack<R>(n - i, [&](i64 j, auto count) { seen[0] = seen_with(seen[0], load_some(x + i + j, count)); });
  return (seen[0] + seen[1]) + (seen[2] + seen[3]);
}

template <class R>
bool all_finite(const R* x, i64 n) {
  const Pack<R> seen = seen_in(x, n);
  return !Number<Pack<R>>::any(seen != seen);
}

/// Its number among n, or n.
template <class R>
i64 first_nonfinite(const R* x, i64 n) {
  constexpr i64 part = 1 << 12;
  for (i64 begin = 0; begin < n; begin += part) {
    const i64 count = n - begin < part ? n - begin : part;
    if (all_finite(x + begin, count)) continue;
    for (i64 i = begin; i < begin + count; ++i)
      if (x[i] - x[i] != R(0)) return i;
  }
  return n;
}

}  // namespace optlab
