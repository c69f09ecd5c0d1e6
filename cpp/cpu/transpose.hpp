// Reading a few columns of as many rows as a pack has lanes, turned: each column arrives in one pack.
#pragma once
#include <utility>

#include "pack.hpp"

namespace optlab {

/// 16 bytes of a row: the lanes of a pack come in groups of as many, within which turning is cheap.
template <class R>
inline constexpr int kGroup = 16 / sizeof(R);
template <class R>
struct GroupOf {
  typedef R type __attribute__((vector_size(16)));
};
template <class R>
using Group = typename GroupOf<R>::type;

// Neither built-in function exists in all compilers: GCC has the first one since 12, Clang never had the second one.
#if defined(__clang__) || __GNUC__ >= 12
#define OPTLAB_SHUFFLEVECTOR 1
#endif

/// Lane l is lane `from` of a, or of b, whose lanes count on from those of a.
template <class P, int... from>
OPTLAB_HD P shuffled(P a, P b) {
#if defined(OPTLAB_SHUFFLEVECTOR)
  return __builtin_shufflevector(a, b, from...);
#else
  using Index = decltype(a < b);
  return __builtin_shuffle(a, b, Index{from...});
#endif
}

/// Exchanges, for every pair of rows and of columns that are `distance` apart, the two that are off the diagonal.
template <int distance, class P, int... lane>
OPTLAB_HD void exchange(P& upper, P& lower, std::integer_sequence<int, lane...>) {
  constexpr int lanes = sizeof...(lane);
  const P a = upper, b = lower;
  upper = shuffled<P, (lane & distance ? lanes + lane - distance : lane)...>(a, b);
  lower = shuffled<P, (lane & distance ? lanes + lane : lane + distance)...>(a, b);
}

template <class Half, int... lane>
OPTLAB_HD auto joined(Half low, Half high, std::integer_sequence<int, lane...>) {
#if defined(OPTLAB_SHUFFLEVECTOR)
  return __builtin_shufflevector(low, high, lane...);
#else
  using R = decltype(low[0] + low[0]);
  typedef R Whole __attribute__((vector_size(2 * sizeof(Half))));
  Whole whole;
  std::memcpy(&whole, &low, sizeof low);
  std::memcpy(reinterpret_cast<char*>(&whole) + sizeof low, &high, sizeof high);
  return whole;
#endif
}

/// The groups i, i + step, ... side by side in one vector of `count` groups.
template <class R, int count, class Load>
OPTLAB_HD auto side_by_side(int i, int step, Load load_group) {
  if constexpr (count == 1) {
    return load_group(i);
  } else {
    constexpr auto lanes = std::make_integer_sequence<int, count * kGroup<R>>();
    return joined(side_by_side<R, count / 2>(i, step, load_group),
                  side_by_side<R, count / 2>(i + count / 2 * step, step, load_group), lanes);
  }
}

/// The elements at the front of a row, as a group; zeros behind the first `steps`.
template <class R>
OPTLAB_HD Group<R> load_group(const R* row, i64 steps) {
  Group<R> group{};
  if (steps == kGroup<R>)
    std::memcpy(&group, row, sizeof group);
  else
    for (i64 i = 0; i < steps; ++i) group[i] = row[i];
  return group;
}

/// column[j] becomes element j of every row, for j < kGroup, where load_group(i) gives those elements of row i.
template <class R, class Load>
OPTLAB_HD void load_turned(Pack<R> (&column)[kGroup<R>], Load load_group) {
  constexpr int group = kGroup<R>;
  constexpr auto lanes = std::make_integer_sequence<int, kLanes<R>>();
#pragma GCC unroll 4
  for (int i = 0; i < group; ++i) column[i] = side_by_side<R, kLanes<R> / group>(i, group, load_group);
#pragma GCC unroll 4
  for (int i = 0; i < group; i += 2) exchange<1>(column[i], column[i + 1], lanes);
  if constexpr (group == 4) {
    exchange<2>(column[0], column[2], lanes);
    exchange<2>(column[1], column[3], lanes);
  }
}

}  // namespace optlab
