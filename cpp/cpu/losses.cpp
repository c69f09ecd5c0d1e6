#include "losses.hpp"

#include "rows.hpp"

namespace optlab {
namespace {

/// Visits [begin, end): visit(i, n, prediction, target) returns the term of the loss, which is written or summed.
template <class R, class Visit>
OPTLAB_HD R term_sum(R* each, const LossOf<R>& of, i64 begin, i64 end, Visit visit) {
  ElementSum<R> sum;
  const Row<R> p{of.prediction + begin, end - begin, of.n - begin}, t{of.target + begin, end - begin, of.n - begin};
  each_pack<R>(end - begin, [&](i64 i, auto n) {
    const Pack<R> term = visit(begin + i, n, p.pack(i, n), t.pack(i, n));
    each ? put(each + begin + i, term, n) : sum.add(filled<R>(term, n));
  });
  return sum.result();
}

template <class F, class R>
void value_and_slope(R* loss, R* dprediction, const LossOf<R>& of, int threads) {
  const R option = static_cast<R>(of.option), weight = of.how.template weight<R>();
  R* const each = of.how.each ? loss : nullptr;
  reduce_chunks(loss, of.how, of.n, kChunk, threads, [=](i64 begin, i64 end) {
    return term_sum(each, of, begin, end, [=](i64 i, auto n, Pack<R> p, Pack<R> t) {
      if (dprediction) put(dprediction + i, Pack<R>(F::slope(p, t, option) * weight), n);
      return F::value(p, t, option);
    });
  });
}

template <class F, class R>
void add_lanes(ChunkedSum<Pack<R>>& terms, Pack<R>* d, const Pack<R>* p, const Pack<R>* t, i64 n, R option, R weight) {
  for (i64 i = 0; i < n; ++i) {
    if (d) d[i] = F::template slope<Pack<R>>(p[i], t[i], option) * weight;
    terms.add(F::template value<Pack<R>>(p[i], t[i], option));
  }
}

template <class F, class R>
void slope_and_curvature(R* loss_dot, R* dprediction_dot, const R* dot, const LossOf<R>& of, int threads) {
  const R option = static_cast<R>(of.option), weight = of.how.template weight<R>();
  R* const each = of.how.each ? loss_dot : nullptr;
  reduce_chunks(loss_dot, of.how, of.n, kChunk, threads, [=](i64 begin, i64 end) {
    return term_sum(each, of, begin, end, [=](i64 i, auto n, Pack<R> p, Pack<R> t) {
      const Pack<R> v = n == kLanes<R> ? load(dot + i) : load_part(dot + i, n);
      put(dprediction_dot + i, Pack<R>(F::curvature(p, t, option) * weight * v), n);
      return Pack<R>(F::slope(p, t, option) * v);
    });
  });
}

}  // namespace

template <class R>
void loss(LossKind kind, R* loss, R* dprediction, const LossOf<R>& of, int threads) {
  using Loop = void (*)(R*, R*, const LossOf<R>&, int);
#define OPTLAB_LOSS(name, Functor) &value_and_slope<Functor, R>,
  static constexpr Loop loops[] = {OPTLAB_LOSSES(OPTLAB_LOSS)};
#undef OPTLAB_LOSS
  loops[static_cast<int>(kind)](loss, dprediction, of, threads);
}

template <class R>
void add_loss_lanes(LossKind kind, ChunkedSum<Pack<R>>& terms, Pack<R>* d, const Pack<R>* prediction,
                    const Pack<R>* target, i64 n, R option, R weight) {
  using Loop = void (*)(ChunkedSum<Pack<R>>&, Pack<R>*, const Pack<R>*, const Pack<R>*, i64, R, R);
#define OPTLAB_LOSS(name, Functor) &add_lanes<Functor, R>,
  static constexpr Loop loops[] = {OPTLAB_LOSSES(OPTLAB_LOSS)};
#undef OPTLAB_LOSS
  loops[static_cast<int>(kind)](terms, d, prediction, target, n, option, weight);
}

template <class R>
void loss_tangent(LossKind kind, R* loss_dot, R* dprediction_dot, const R* prediction_dot, const LossOf<R>& of,
                  int threads) {
  using Loop = void (*)(R*, R*, const R*, const LossOf<R>&, int);
#define OPTLAB_LOSS(name, Functor) &slope_and_curvature<Functor, R>,
  static constexpr Loop loops[] = {OPTLAB_LOSSES(OPTLAB_LOSS)};
#undef OPTLAB_LOSS
  loops[static_cast<int>(kind)](loss_dot, dprediction_dot, prediction_dot, of, threads);
}

#define OPTLAB_INSTANTIATE(R)                                                                                        \
  template void loss(LossKind, R*, R*, const LossOf<R>&, int);                                                       \
  template void add_loss_lanes(LossKind, ChunkedSum<Pack<R>>&, Pack<R>*, const Pack<R>*, const Pack<R>*, i64, R, R); \
  template void loss_tangent(LossKind, R*, R*, const R*, const LossOf<R>&, int);
OPTLAB_INSTANTIATE(float)
OPTLAB_INSTANTIATE(double)

}  // namespace optlab
