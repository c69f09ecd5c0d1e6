// How a block of columns is taken in groups of packs. Every column is a lane of its own, so neither the width of a pack
// nor that of a group or a block can be seen in a result.
#pragma once
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

/// Calls body(group, column) for groups of at most `most` packs that cover [begin, end). The ragged ends are packs that
/// overlap their neighbours, so body must give the same when a column is seen twice. `head`: columns in front of the
/// first one on a line, from where on groups are aligned if `stream`.
template <int most, bool stream, class R, class Body>
void for_groups(i64 begin, i64 end, i64 head, Body body) {
  using P = Pack<R>;
  constexpr i64 lanes = kLanes<R>;
  if (end - begin < lanes) {
    for (i64 column = begin; column < end; ++column) body(Group<R, 1, false>{}, column);
    return;
  }
  for (i64 column = begin; column < begin + head; column += lanes)
    body(Group<P, 1, false>{}, column < end - lanes ? column : end - lanes);
  i64 column = begin + head;
  for (; end - column >= most * lanes; column += most * lanes) body(Group<P, most, stream>{}, column);
  if constexpr (most > 4)
    for (; end - column >= 4 * lanes; column += 4 * lanes) body(Group<P, 4, stream>{}, column);
  for (; end - column >= lanes; column += lanes) body(Group<P, 1, stream>{}, column);
  if (column < end) body(Group<P, 1, false>{}, end - lanes);
}

/// The columns of a matrix in blocks, as many as a row is read at a time.
struct Blocks {
  i64 columns, width, head;  ///< head: the columns in front of the first one on a line; they belong to the first block
  i64 count() const {
    const i64 nearest = (columns - head + width / 2) / width;
    return nearest > 0 ? nearest : 1;
  }
  i64 begin(i64 k) const { return k == 0 ? 0 : head + k * width; }
  i64 end(i64 k) const { return k == count() - 1 ? columns : head + (k + 1) * width; }
  i64 head_of(i64 k) const { return k == 0 && head < columns ? head : 0; }
};
inline constexpr i64 kBlock = 128;                        // columns
inline constexpr i64 kWidest = kBlock + kBlock / 2 + 16;  // of the last block, which takes up to half a block more

/// The columns in front of the first on a line, or -1 if rows differ in that.
template <class R>
i64 head_of_lines(const R* out, i64 columns) {
  if (columns * static_cast<i64>(sizeof(R)) % kLine) return -1;
  const auto past = static_cast<i64>(reinterpret_cast<std::uintptr_t>(out) % kLine);
  return past == 0 ? 0 : (kLine - past) / static_cast<i64>(sizeof(R));
}

}  // namespace optlab
