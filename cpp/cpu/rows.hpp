// The rows of a matrix in packs: loads that stay inside the array, and what is behind the end of a row filled.
#pragma once
#include "spans.hpp"
#include "sums.hpp"

namespace optlab {

template <class R>
OPTLAB_HD void put(R* to, Pack<R> pack, i64 n) {
  store_some(to, pack, n);
}

/// The first n lanes, `fill` behind.
template <class R>
OPTLAB_HD Pack<R> filled(Pack<R> pack, i64 n, R fill = 0) {
  if (n == kLanes<R>) return pack;
  return select<Pack<R>>(lane_numbers<R>() < static_cast<Bits<R>>(n), pack, splat(fill));
}

template <class R>
struct Row {
  const R* at;
  i64 size;
  i64 readable;  ///< from here to the end of the array

  using Element = R;
  using Scalar = R;  ///< what one row has one of
  using Index = i64;
  using Total = ElementSum<R>;
  template <class Visit>
  OPTLAB_HD void each(Visit visit) const {
    each_pack<R>(size, visit);
  }

  /// n lanes from i on. What stands behind them is of no meaning: a whole load is the quick one, and it may reach into
  /// the rows that follow.
  OPTLAB_HD Pack<R> pack(i64 i, i64 n) const {
    return n == kLanes<R> || i + kLanes<R> <= readable ? load(at + i) : load_part(at + i, n);
  }
};

/// A row in each lane: pack i holds the i-th number of each.
template <class R>
struct LaneRows {
  const Pack<R>* at;
  i64 size;

  using Element = R;
  using Scalar = Pack<R>;
  using Index = Bits<Pack<R>>;
  using Total = Sum<Pack<R>>;
  template <class Visit>
  OPTLAB_HD void each(Visit visit) const {
    for (i64 i = 0; i < size; ++i) visit(i, std::integral_constant<i64, kLanes<R>>());
  }
  OPTLAB_HD Pack<R> pack(i64 i, i64) const { return at[i]; }
};

template <class R>
OPTLAB_HD void put(Pack<R>* to, Pack<R> pack, i64) {
  *to = pack;
}
template <class R>
OPTLAB_HD Pack<R> stored(const Pack<R>* at, i64) {
  return *at;
}

/// n lanes of what this thread has written: other threads may be writing what stands behind them.
template <class R>
OPTLAB_HD Pack<R> stored(const R* at, i64 n) {
  return load_some(at, n);
}

template <class R>
OPTLAB_HD Row<R> row_of(const R* matrix, i64 row, i64 rows, i64 columns) {
  return {matrix + row * columns, columns, (rows - row) * columns};
}

/// The largest number, -inf of nothing but NaN. Its order is free, so four maxima run side by side.
template <class R>
OPTLAB_HD R row_max(const Row<R>& row) {
  constexpr int chains = 4;
  constexpr i64 lanes = kLanes<R>;
  const R lowest = -Number<R>::from_bits(Constants<R>::infinity);
  const auto larger = [](Pack<R> a, Pack<R> b) { return select<Pack<R>>(a > b, a, b); };
  Pack<R> top[chains];
  for (Pack<R>& each : top) each = splat(lowest);
  i64 i = 0;
  for (; i + chains * lanes <= row.size; i += chains * lanes)
    for (int k = 0; k < chains; ++k) top[k] = larger(load(row.at + i + k * lanes), top[k]);
  each_pack<R>(row.size - i, [&](i64 j, auto n) { top[0] = larger(filled<R>(row.pack(i + j, n), n, lowest), top[0]); });
  const Pack<R> all = larger(larger(top[0], top[1]), larger(top[2], top[3]));
  R most = lowest;
  for (int lane = 0; lane < kLanes<R>; ++lane) most = all[lane] > most ? all[lane] : most;
  return most;
}

template <class R>
OPTLAB_HD Pack<R> row_max(const LaneRows<R>& rows) {
  Pack<R> top = splat(-Number<R>::from_bits(Constants<R>::infinity));
  for (i64 i = 0; i < rows.size; ++i) top = select<Pack<R>>(rows.at[i] > top, rows.at[i], top);
  return top;
}

/// Elements in a chunk that threads may take.
inline constexpr i64 kChunk = 8192;
/// Rows in one: by the shape alone.
inline i64 rows_per_chunk(i64 columns) {
  return columns < kChunk ? kChunk / columns : 1;
}

}  // namespace optlab
