// Element-wise losses and their gradients, the derivatives of both in a direction, and the sum of terms.
#include "cuda/names.cuh"
#include "cuda/rows.cuh"

namespace optlab {

inline constexpr i64 kTerms = 4096;  ///< of a block

/// Terms of the loss, each for itself or (sums) one number per block of kTerms, and the gradients times weight in d,
/// unless it is null; with v, the derivatives of both in its direction.
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    loss_terms(R* each, R* sums, R* d, const R* v, const R* prediction, const R* target, i64 n, R option, R weight) {
  using T = Team<kThreads>;
  const i64 begin = blockIdx.x * kTerms, count = n - begin < kTerms ? n - begin : kTerms;
  const bool vectors = aligned(prediction) && aligned(target) && aligned(v) && aligned(d) && aligned(each);
  RowTotal<R> total;
  T::template each<R>(count, vectors, [&](i64 at, Access as) {
    const i64 i = begin + at;
    as.vectors = as.vectors && as.width == Lanes<R>::count;
    const Lanes<R> p = load_lanes<false>(prediction + i, as), t = load_lanes<false>(target + i, as);
    Lanes<R> move{}, term, slope;
    if (v) move = load_lanes<false>(v + i, as);
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) {
      const R own = F::template slope<R>(p.at[l], t.at[l], option);
      term.at[l] = v ? own * move.at[l] : F::template value<R>(p.at[l], t.at[l], option);
      slope.at[l] = v ? F::template curvature<R>(p.at[l], t.at[l], option) * weight * move.at[l] : own * weight;
      if (l < as.width) total.add(term.at[l]);
    }
    if (each) store_lanes<false>(each + i, term, as);
    if (d) store_lanes<false>(d + i, slope, as);
  });
  if (!sums) return;
  const R sum = total.template sum<T>();
  if (T::rank() == 0) sums[blockIdx.x] = sum;
}

/// The sum of n terms over a divisor, by one block.
template <class R>
__global__ void __launch_bounds__(kThreads) sum_of_terms(R* out, const R* terms, i64 n, R divisor) {
  using T = Team<kThreads>;
  RowTotal<R> total;
  for (i64 i = T::rank(); i < n; i += kThreads) total.add(terms[i]);
  const R sum = total.template sum<T>();
  if (T::rank() == 0) *out = sum / divisor;
}

}  // namespace optlab
