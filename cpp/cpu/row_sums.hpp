// Sums along a row, in the order of the one tree (sums.hpp), with enough of its blocks in flight to hide the latency of
// an addition.
#pragma once
#include "sums.hpp"

namespace optlab {

/// fold_strips of the lanes of a register, which then need not go through memory.
template <class R>
OPTLAB_HD R fold_lanes(Pack<R> p) {
#if __has_builtin(__builtin_shufflevector)
  if constexpr (kLanes<R> == 16) {
    const auto a = __builtin_shufflevector(p, p, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(p, p, 8, 9, 10, 11, 12, 13, 14, 15);
    const auto b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
  } else if constexpr (kLanes<R> == 8) {
    const auto b = __builtin_shufflevector(p, p, 0, 1, 2, 3) + __builtin_shufflevector(p, p, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
  } else if constexpr (kLanes<R> == 4) {
    return (p[0] + p[2]) + (p[1] + p[3]);
  } else {
    return p[0] + p[1];
  }
#else
  R lanes[kLanes<R>];
  store(lanes, p);
  for (int half = kLanes<R> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] = lanes[i] + lanes[i + half];
  return lanes[0];
#endif
}

template <class R>
struct Strips {
  static constexpr int registers = kStrips / kLanes<R>;
  Pack<R> strip[registers]{};
  OPTLAB_HD R fold() {
#pragma GCC unroll 4
    for (int half = registers / 2; half > 0; half /= 2)
#pragma GCC unroll 4
      for (int r = 0; r < half; ++r) strip[r] = strip[r] + strip[r + half];
    return fold_lanes<R>(strip[0]);
  }
};

/// Adds term(begin) to term(begin + kStrips) to the strips; lanes from `end` on stay as they are.
template <class R, int count, class Term>
OPTLAB_HD void add_round(Strips<R>* strips, i64 begin, i64 end, const Term& term) {
#pragma GCC unroll 8
  for (int r = 0; r < Strips<R>::registers; ++r) {
    const i64 i = begin + r * kLanes<R>, m = end - i < kLanes<R> ? end - i : kLanes<R>;
    if (m <= 0) return;
    Pack<R> terms[count];
    term(terms, i, m);
#pragma GCC unroll 4
    for (int k = 0; k < count; ++k)
      strips[k].strip[r] = strips[k].strip[r] + (m == kLanes<R> ? terms[k] : first_lanes<R>(terms[k], m));
  }
}

/// Adds `blocks` consecutive blocks of kSumBlock terms to `count` totals.
template <class R, int count, int blocks, class Term>
OPTLAB_HD void add_blocks(CarriedTotal<R>* totals, i64 begin, const Term& term) {
  Strips<R> strips[blocks][count];
  for (i64 p = begin; p < begin + kSumBlock; p += kStrips)
#pragma GCC unroll 4
    for (int b = 0; b < blocks; ++b)
      add_round<R, count>(strips[b], p + b * kSumBlock, p + b * kSumBlock + kStrips, term);
#pragma GCC unroll 4
  for (int b = 0; b < blocks; ++b)
#pragma GCC unroll 4
    for (int k = 0; k < count; ++k) totals[k].add(strips[b][k].fold());
}

/// The last terms, fewer than kSumBlock.
template <class R, int count, class Term>
OPTLAB_HD void add_rest(CarriedTotal<R>* totals, i64 begin, i64 end, const Term& term) {
  Strips<R> strips[count];
  i64 p = begin;
  for (; p + kStrips <= end; p += kStrips) add_round<R, count>(strips, p, p + kStrips, term);
  if (p < end) add_round<R, count>(strips, p, end, term);
#pragma GCC unroll 4
  for (int k = 0; k < count; ++k) totals[k].add(strips[k].fold());
}

/// `count` sums over a row of n, where term(out, i, m) gives their terms i to i + m, m <= lanes, in packs.
template <class R, int count, class Term>
OPTLAB_HD void sum_row(R* sums, i64 n, const Term& term) {
  constexpr int registers = Strips<R>::registers, blocks = registers < 4 ? 4 / registers : 1;
  CarriedTotal<R> totals[count];
  i64 i = 0;
  for (; i + blocks * kSumBlock <= n; i += blocks * kSumBlock) add_blocks<R, count, blocks>(totals, i, term);
  for (; i + kSumBlock <= n; i += kSumBlock) add_blocks<R, count, 1>(totals, i, term);
  if (i < n) add_rest<R, count>(totals, i, n, term);
  for (int k = 0; k < count; ++k) sums[k] = totals[k].result();
}

}  // namespace optlab
