// Panels of a matrix product: a strip of at most `width` rows of an operand, laid out so that the micro-kernel reads it
// from front to back, one group of `width` numbers for each k.
#pragma once
#include "gemm.hpp"
#include "gemm_tile.hpp"
#include "transpose.hpp"

namespace optlab {

/// The strip's rows, seen so that k runs along `along` and the rows are `across` apart.
template <class R>
struct Strip {
  const R* data;
  i64 across, along;
  i64 valid;     ///< rows that exist; the panel's others are zeros
  i64 readable;  ///< elements that may be read along a row of the memory, where rows are contiguous (across == 1)

  Strip from(i64 k) const { return {data + k * along, across, along, valid, readable}; }
};

/// One pack of rows for `steps` values of k. A store is a whole pack wide and may spill over into the next group, which
/// is written later: k rises, and of the packs within a group the last one comes first.
template <class R, bool whole>
OPTLAB_HD void turn(R* to, i64 width, const R* from, i64 across, i64 rows, i64 steps) {
  Pack<R> column[kGroup<R>];
  load_turned<R>(column, [=](i64 i) {
    if constexpr (whole) return load_group(from + i * across, kGroup<R>);
    return i < rows ? load_group(from + i * across, steps) : Group<R>{};
  });
#pragma GCC unroll 4
  for (i64 j = 0; j < kGroup<R>; ++j)
    if (whole || j < steps) store(to + j * width, column[j]);
}

/// Half a pack of rows for two groups of k: those of the second group stand in the upper half of the packs.
template <class R>
OPTLAB_HD void turn_halves(R* to, const R* from, i64 across) {
  constexpr i64 half = kLanes<R> / 2, group = kGroup<R>;
  Pack<R> column[kGroup<R>];
  load_turned<R>(column, [=](i64 i) { return load_group(from + i % half * across + i / half * group, group); });
#pragma GCC unroll 4
  for (i64 j = 0; j < group; ++j) {
    std::memcpy(to + j * half, &column[j], half * sizeof(R));
    std::memcpy(to + (group + j) * half, reinterpret_cast<const R*>(&column[j]) + half, half * sizeof(R));
  }
}

/// Rows contiguous in k.
template <class R>
void pack_turned(R* to, i64 width, const Strip<R>& from, i64 k) {
  constexpr i64 lanes = kLanes<R>, group = kGroup<R>;
  for (i64 first = (width - 1) / lanes * lanes; first >= 0; first -= lanes) {
    const i64 rows = from.valid - first;
    const R* source = from.data + first * from.across;
    i64 p = 0;
    if (2 * width == lanes && rows == width)
      for (; p + 2 * group <= k; p += 2 * group) turn_halves(to + p * width, source + p, from.across);
    if (rows >= lanes)
      for (; p + group <= k; p += group)
        turn<R, true>(to + p * width + first, width, source + p, from.across, rows, group);
    for (; p < k; p += group)
      turn<R, false>(to + p * width + first, width, source + p, from.across, rows, std::min(group, k - p));
  }
}

/// Rows side by side in memory, with the same spilling stores.
template <class R, int packs>
void pack_whole(R* to, i64 width, const Strip<R>& from, i64 k) {
  for (i64 p = 0; p < k; ++p)
    for (int j = packs - 1; j >= 0; --j)
      store(to + p * width + j * kLanes<R>, load(from.data + p * from.along + j * kLanes<R>));
}

template <class R>
void pack_copied(R* to, i64 width, const Strip<R>& from, i64 k) {
  constexpr i64 lanes = kLanes<R>;
  const i64 packs = (width + lanes - 1) / lanes, last = (packs - 1) * lanes;
  if (packs <= 4 && packs * lanes <= from.readable) {
    const auto whole = packs == 1   ? pack_whole<R, 1>
                       : packs == 2 ? pack_whole<R, 2>
                       : packs == 3 ? pack_whole<R, 3>
                                    : pack_whole<R, 4>;
    return whole(to, width, from, k);
  }
  for (i64 p = 0; p < k; ++p)
    for (i64 first = last; first >= 0; first -= lanes) {
      const i64 rows = std::max<i64>(0, std::min(lanes, from.valid - first));
      store(to + p * width + first, load_part(from.data + p * from.along + first, rows));
    }
}

template <class R>
void pack_strided(R* to, i64 width, const Strip<R>& from, i64 k) {
  for (i64 p = 0; p < k; ++p)
    for (i64 i = 0; i < width; ++i)
      to[p * width + i] = i < from.valid ? from.data[i * from.across + p * from.along] : R(0);
}

/// `to` has room for k * width numbers and one pack more.
template <class R>
void pack_panel(R* to, i64 width, const Strip<R>& from, i64 k) {
  if (from.across == 1)
    pack_copied(to, width, from, k);
  else if (from.along == 1)
    pack_turned(to, width, from, k);
  else
    pack_strided(to, width, from, k);
}

/// The memory of a strip's first k values.
template <class R>
Lines lines_of(const Strip<R>& from, i64 k) {
  constexpr i64 size = sizeof(R);
  if (from.across == 1) return {from.data, from.along * size, from.valid * size, k};
  if (from.along == 1) return {from.data, from.across * size, k * size, from.valid};
  return {};
}

}  // namespace optlab
