#include "maxout.hpp"

#include "threads.hpp"

namespace optlab {
namespace {

template <class R>
OPTLAB_HD i64 winner(const R* x, i64 pieces) {
  R best = x[0];
  i64 at = 0;
  for (i64 k = 1; k < pieces; ++k) {
    const bool wins = !(x[k] <= best) & (best == best);
    best = wins ? x[k] : best;
    at = wins ? k : at;
  }
  return at;
}

/// Calls work(u, winner) for every unit; two pieces, the usual number, have a loop of their own without branches.
template <class R, class Work>
void for_winners(const R* x, i64 units, i64 pieces, int threads, Work work) {
  parallel(units, threads, [=](i64 begin, i64 end) {
    if (pieces == 2)
      for (i64 u = begin; u < end; ++u) work(u, winner(x + 2 * u, 2));
    else
      for (i64 u = begin; u < end; ++u) work(u, winner(x + pieces * u, pieces));
  });
}

}  // namespace

template <class R>
void maxout_take(R* out, const R* from, const R* x, i64 units, i64 pieces, int threads) {
  for_winners(x, units, pieces, threads, [=](i64 u, i64 k) { out[u] = from[u * pieces + k]; });
}

template <class R>
void maxout_spread(R* dx, const R* dy, const R* x, i64 units, i64 pieces, int threads) {
  for_winners(x, units, pieces, threads, [=](i64 u, i64 k) {
    R* row = dx + u * pieces;
    for (i64 j = 0; j < pieces; ++j) row[j] = j == k ? dy[u] : R{};
  });
}

template void maxout_take(float*, const float*, const float*, i64, i64, int);
template void maxout_take(double*, const double*, const double*, i64, i64, int);
template void maxout_spread(float*, const float*, const float*, i64, i64, int);
template void maxout_spread(double*, const double*, const double*, i64, i64, int);

}  // namespace optlab
