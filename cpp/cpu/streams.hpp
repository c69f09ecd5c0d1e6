// Where a kernel reads its numbers: plain ones, or dual ones from an array of values and one of rates. A kernel written
// for either gives a function and its derivative in a direction.
#pragma once
#include "optlab/dual.hpp"
#include "past_caches.hpp"
#include "spans.hpp"

namespace optlab {

/// The first n lanes, zeros behind, whatever stands there.
template <class R>
OPTLAB_HD Pack<R> first_lanes(Pack<R> p, i64 n) {
  return lane_numbers<R>() < static_cast<Bits<R>>(n) ? p : Pack<R>{};
}

/// to[i], ... = value(i, m) for n numbers, on aligned packs, past the cache where the output is too large to be found
/// there afterwards: its lines need not be read first.
template <class R, class Value>
OPTLAB_HD void write_packs(R* to, i64 n, bool past_cache, const Value& value) {
  const auto beyond = static_cast<i64>(reinterpret_cast<unsigned long long>(to) % kRegister / sizeof(R));
  const i64 head = beyond ? kLanes<R> - beyond : 0;
  i64 i = 0;
  if (past_cache && n > head) {
    if (head) store_some(to, Pack<R>(value(0, head)), head);
    for (i = head; i + kLanes<R> <= n; i += kLanes<R>) store_past<true>(to + i, Pack<R>(value(i, kLanes<R>)));
  }
  for (; i + kLanes<R> <= n; i += kLanes<R>) store(to + i, Pack<R>(value(i, kLanes<R>)));
  if (i < n) store_some(to + i, Pack<R>(value(i, n - i)), n - i);
}

template <class S>
struct Plain {
  using Scalar = S;
  using Lane = S;
  using Packed = Pack<S>;
  const S* v;

  OPTLAB_HD Plain from(i64 i) const { return {v + i}; }
  OPTLAB_HD Lane at(i64 i) const { return v[i]; }
  OPTLAB_HD Packed packed(i64 i, i64 n) const { return load_some(v + i, n); }
  OPTLAB_HD void prefetch(i64 i) const { __builtin_prefetch(v + i); }
  static OPTLAB_HD Packed everywhere(Lane x) { return splat(x); }
  static OPTLAB_HD Packed parts(const Packed& x, int) { return x; }
  static OPTLAB_HD Lane joined(const S* part) { return part[0]; }
  /// What an output holds: here the value, of dual numbers the rate.
  template <class T>
  static OPTLAB_HD T wanted(T x) {
    return x;
  }
  static constexpr int numbers = 1;
};

template <class S>
struct WithRate {
  using Scalar = S;
  using Lane = Dual<S>;
  using Packed = Dual<Pack<S>>;
  const S *v, *d;

  OPTLAB_HD WithRate from(i64 i) const { return {v + i, d + i}; }
  OPTLAB_HD Lane at(i64 i) const { return {v[i], d[i]}; }
  OPTLAB_HD Packed packed(i64 i, i64 n) const { return {load_some(v + i, n), load_some(d + i, n)}; }
  OPTLAB_HD void prefetch(i64 i) const { __builtin_prefetch(v + i), __builtin_prefetch(d + i); }
  static OPTLAB_HD Packed everywhere(Lane x) { return {splat(x.v), splat(x.d)}; }
  static OPTLAB_HD Pack<S> parts(const Packed& x, int k) { return k ? x.d : x.v; }
  static OPTLAB_HD Lane joined(const S* part) { return {part[0], part[1]}; }
  template <class T>
  static OPTLAB_HD T wanted(Dual<T> x) {
    return x.d;
  }
  static constexpr int numbers = 2;
};

}  // namespace optlab
