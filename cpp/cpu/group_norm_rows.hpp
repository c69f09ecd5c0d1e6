// What the passes of group normalization share: how rows are shared among threads, and how gamma lies along a row.
#pragma once
#include "group_norm.hpp"
#include "threads.hpp"

namespace optlab {

inline constexpr i64 kNear = 1 << 14;  // elements of a row that stays in the cache: prefetch the next one behind it

inline int threads_for(const NormShape& s, int threads) {
  return worthwhile(threads, s.rows() * s.row());
}

/// Whether an output is so large that it is gone from the cache before it is read again.
template <class R>
bool leaves_cache(const NormShape& s) {
  return s.rows() * s.row() * static_cast<i64>(sizeof(R)) >= kStreamBytes;
}

/// gamma of a channel, the same at all its positions.
template <class In>
struct Same {
  typename In::Packed value;
  OPTLAB_HD typename In::Packed packed(i64, i64) const { return value; }
};

/// Calls body(begin, n, gamma, beta) for the parts of a row: with one position the whole row, whose gamma lies along
/// it, otherwise each channel.
template <class In, class Body>
OPTLAB_HD void each_segment(const NormShape& s, In gamma, In beta, const Body& body) {
  if (s.positions == 1) return body(0, s.channels, gamma, beta);
  for (i64 c = 0; c < s.channels; ++c)
    body(c * s.positions, s.positions, Same<In>{In::everywhere(gamma.at(c))}, Same<In>{In::everywhere(beta.at(c))});
}

}  // namespace optlab
