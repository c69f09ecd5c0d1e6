// How a block of columns is taken in groups of packs. Every column is a lane of its own, so neither the width of a pack
// nor that of a group or a block can be seen in a result.
#pragma once
#include <algorithm>
#include <cstdint>

#include "optlab/dual.hpp"
#include "past_caches.hpp"

namespace optlab {

inline constexpr i64 kLine = 64;  // bytes of a cache line

/// `count` packs of consecutive columns; `aligned`: each begins where the processor may write past its caches.
template <class P, int packs, bool on_line>
struct Group {
  using Type = P;
  static constexpr int count = packs, lanes = Number<P>::lanes;
  static constexpr bool aligned = on_line;
  static constexpr i64 at(int pack) { return pack * lanes; }
};

/// The same of fewer columns than `count` packs have: what would reach beyond the last column lies upon the last pack.
template <class P, int packs>
struct Ragged {
  using Type = P;
  static constexpr int count = packs, lanes = Number<P>::lanes;
  static constexpr bool aligned = false;
  i64 last;
  OPTLAB_HD i64 at(int pack) const { return pack * lanes < last ? pack * lanes : last; }
};

template <class P>
OPTLAB_HD P get(const Real<P>* from) {
  P p;
  std::memcpy(&p, from, sizeof p);
  return p;
}

template <class G, class P>
OPTLAB_HD void put(Real<P>* to, P p) {
  store_past<G::aligned>(to, p);
}

/// Fetches a later row of a group early, since processors foresee no step from row to row; beyond the last row it
/// fetches what nobody reads.
template <class G, class R>
OPTLAB_HD void fetch(const R* row) {
  constexpr i64 bytes = G::count * G::lanes * static_cast<i64>(sizeof(R));
  for (i64 byte = 0; byte < bytes; byte += kLine) __builtin_prefetch(reinterpret_cast<const char*>(row) + byte);
}

/// Calls body(group, column) for groups of at most `most` packs that cover [begin, end). Packs of a ragged group may
/// overlap, so body must give the same when a column is seen twice. `past` columns stand on the first one's line in
/// front of it; the first group is so much shorter, and the others are aligned if `stream`.
template <int most, bool stream, class R, class Body>
void for_groups(i64 begin, i64 end, i64 past, Body body) {
  using P = Pack<R>;
  constexpr i64 lanes = kLanes<R>, width = most * lanes;
  if (end - begin < lanes) {
    for (i64 column = begin; column < end; ++column) body(Group<R, 1, false>{}, column);
    return;
  }
  const auto ragged = [&](i64 column, i64 columns) {
    if (columns > 4 * lanes)
      body(Ragged<P, most>{columns - lanes}, column);
    else if (columns > lanes)
      body(Ragged<P, 4>{columns - lanes}, column);
    else
      body(Group<P, 1, false>{}, std::max(begin, column + columns - lanes));
  };
  i64 column = begin;
  if (past > 0 && end - begin > width - past) {
    ragged(column, width - past);
    column += width - past;
  }
  for (; end - column >= width; column += width) body(Group<P, most, stream>{}, column);
  if (column < end) ragged(column, end - column);
}

/// The columns of a matrix in blocks, as many as a row is read at a time. All but the first begin on a line: `past`
/// columns stand on the first one's line in front of it.
struct Blocks {
  i64 columns, width, past;
  i64 count() const {
    const i64 nearest = (columns + past + width / 2) / width;
    return nearest > 0 ? nearest : 1;
  }
  i64 begin(i64 k) const { return k == 0 ? 0 : k * width - past; }
  i64 end(i64 k) const { return k == count() - 1 ? columns : (k + 1) * width - past; }
  i64 past_of(i64 k) const { return k == 0 ? past : 0; }
};
inline constexpr i64 kBlock = 128;                   // columns
inline constexpr i64 kWidest = kBlock + kBlock / 2;  // of the last block, which takes up to half a block more

/// How many columns stand on the line of the first one in front of it, or -1 if rows differ in that.
template <class R>
i64 past_line(const R* out, i64 columns) {
  if (columns * static_cast<i64>(sizeof(R)) % kLine) return -1;
  return static_cast<i64>(reinterpret_cast<std::uintptr_t>(out) % kLine / sizeof(R));
}

}  // namespace optlab
