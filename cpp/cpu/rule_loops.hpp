// The loops behind the function pointers of a Rule. Flags are compile-time constants inside, so that no test stands in
// the loop.
#pragma once
#include "optlab/loops/update.hpp"
#include "rule.hpp"
#include "sums.hpp"

namespace optlab {

/// The elements [i, i + n) of one rule's arrays through `visit(x, g, states)`, and back to memory what it may change.
template <class F, class R, bool write_x, class Visit>
OPTLAB_HD void visit_pack(R* x, const R* g, R* const* states, i64 i, i64 n, Visit visit) {
  const bool whole = n == kLanes<R>;
  Pack<R> s[F::states + 1];  // + 1: a rule without state has no empty array
  for (int k = 0; k < F::states; ++k) s[k] = whole ? load(states[k] + i) : load_part(states[k] + i, n);
  Pack<R> pack = whole ? load(x + i) : load_part(x + i, n);
  visit(pack, whole ? load(g + i) : load_part(g + i, n), s);
  for (int k = 0; k < F::states; ++k) whole ? store(states[k] + i, s[k]) : store_part(states[k] + i, s[k], n);
  if (write_x) whole ? store(x + i, pack) : store_part(x + i, pack, n);
}

/// How far ahead of the loop the caches are asked for memory: 2 KiB, since the processor's own guess ends at each page.
template <class R>
inline constexpr i64 kAhead = 2048 / sizeof(R);

template <class F, class R>
OPTLAB_HD void prefetch(const R* x, const R* g, R* const* states, i64 i) {
  __builtin_prefetch(x + i + kAhead<R>, 1);
  __builtin_prefetch(g + i + kAhead<R>, 0);
  for (int k = 0; k < F::states; ++k) __builtin_prefetch(states[k] + i + kAhead<R>, 1);
}

template <class F, class R, u32 flags>
void update_flagged(R* x, const R* g, R* const* states_in, i64 n, const Pack<R>* constants) {
  using P = Pack<R>;
  constexpr int lanes = kLanes<R>;
  P c[Around::constants + F::constants];
  for (int k = 0; k < Around::constants + F::constants; ++k) c[k] = constants[k];
  R* states[F::states + 1];
  for (int k = 0; k < F::states; ++k) states[k] = states_in[k];
  const auto visit = [&c](P& x_pack, P g_pack, P* s) { update_element<F, P>(x_pack, g_pack, s, c, flags); };
  i64 i = 0;
  for (; i + lanes + kAhead<R> <= n; i += lanes) {
    prefetch<F>(x, g, states, i);
    visit_pack<F, R, true>(x, g, states, i, lanes, visit);
  }
  for (; i + lanes <= n; i += lanes) visit_pack<F, R, true>(x, g, states, i, lanes, visit);
  if (i < n) visit_pack<F, R, true>(x, g, states, i, n - i, visit);
}

template <class F, class R>
void update(R* x, const R* g, R* const* states, i64 n, const Pack<R>* constants, u32 flags) {
  if (flags & kRare) return update_flagged<F, R, kWeightDecay | kGuard | kRare>(x, g, states, n, constants);
  switch (flags & (kWeightDecay | kGuard)) {
    case 0:
      return update_flagged<F, R, 0>(x, g, states, n, constants);
    case kWeightDecay:
      return update_flagged<F, R, kWeightDecay>(x, g, states, n, constants);
    case kGuard:
      return update_flagged<F, R, kGuard>(x, g, states, n, constants);
    default:
      return update_flagged<F, R, kWeightDecay | kGuard>(x, g, states, n, constants);
  }
}

/// The flags with a bit that is known at compile time, so that no test of it stands in the loop.
template <bool rare>
OPTLAB_HD u32 with_rare(u32 flags) {
  return rare ? flags | kRare : flags & ~static_cast<u32>(kRare);
}

template <class F, bool rare, class R>
void measure_lanes(ScaledNorm<Pack<R>>* norms, const Pack<R>* x, const Pack<R>* g, R* const* states, i64 n,
                   const Pack<R>* c, u32 flags, typename Number<Pack<R>>::Mask counts) {
  using P = Pack<R>;
  layer_norms(
      norms,
      [=](P* sums, auto of_x, auto of_u) {
        Sum<P> sum_x, sum_u;
        for (i64 i = 0; i < n; ++i) {
          P s[F::states];
          for (int k = 0; k < F::states; ++k) s[k] = load(states[k] + i * kLanes<R>);
          const P w = of_x(x[i]),
                  u = of_u(P(measured<F, decltype(of_u)::first_time, P>(x[i], g[i], s, c, with_rare<rare>(flags))));
          for (int k = 0; k < F::states; ++k) store(states[k] + i * kLanes<R>, s[k]);
          sum_x.add(w * w);
          sum_u.add(u * u);
        }
        sums[0] = sum_x.result();
        sums[1] = sum_u.result();
      },
      counts);
}

template <class F, class R>
void measure_runs(ScaledNorm<Pack<R>>* norms, const Pack<R>* x, const Pack<R>* g, R* const* states, i64 n,
                  const Pack<R>* c, u32 flags, typename Number<Pack<R>>::Mask counts) {
  (flags & kRare ? &measure_lanes<F, true, R> : &measure_lanes<F, false, R>)(norms, x, g, states, n, c, flags, counts);
}

template <class F, bool rare, class R, class Of>
void add_blocks(R* squares, const R* x, const R* g, R* const* states, i64 n, const Pack<R>* c, u32 flags, Of of_x,
                Of of_u) {
  using P = Pack<R>;
  for (i64 begin = 0; begin < n; begin += kSumBlock, squares += 2) {
    BlockSum<R> sum_x, sum_u;
    const i64 end = begin + kSumBlock < n ? begin + kSumBlock : n;
    for (i64 i = begin; i < end; i += kLanes<R>) {
      const i64 part = end - i < kLanes<R> ? end - i : kLanes<R>;
      visit_pack<F, R, false>(const_cast<R*>(x), g, states, i, part, [&](P& x_pack, P g_pack, P* s) {
        const P w = of_x(x_pack),
                u = of_u(P(measured<F, Of::first_time, P>(x_pack, g_pack, s, c, with_rare<rare>(flags))));
        sum_x.add(w * w);
        sum_u.add(masked(P(u * u), part));
      });
    }
    squares[0] = sum_x.fold();
    squares[1] = sum_u.fold();
  }
}

template <class F, bool rare, class R>
void measure_blocks(R* squares, const R* x, const R* g, R* const* states, i64 n, const Pack<R>* c, u32 flags,
                    const R* scales) {
  if (scales)
    add_blocks<F, rare>(squares, x, g, states, n, c, flags, ScaledBy<R>{scales[0]}, ScaledBy<R>{scales[1]});
  else
    add_blocks<F, rare>(squares, x, g, states, n, c, flags, AsTheyAre{}, AsTheyAre{});
}

template <class F, class R>
void measure(R* squares, const R* x, const R* g, R* const* states, i64 n, const Pack<R>* c, u32 flags,
             const R* scales) {
  (flags & kRare ? &measure_blocks<F, true, R> : &measure_blocks<F, false, R>)(squares, x, g, states, n, c, flags,
                                                                               scales);
}

}  // namespace optlab
