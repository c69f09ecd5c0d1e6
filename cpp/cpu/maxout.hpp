// Maxout: every unit is the largest of its consecutive pieces, the first of equal ones; the first NaN wins over
// numbers. The winner is found again from x wherever it is needed.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

/// out[u] = from[u, the winner of x[u, :]]: forward with from = x, its tangent with from = x_dot.
template <class R>
void maxout_take(R* out, const R* from, const R* x, i64 units, i64 pieces, int threads);

/// dx[u, the winner of x[u, :]] = dy[u], and 0 beside it: backward, and its tangent.
template <class R>
void maxout_spread(R* dx, const R* dy, const R* x, i64 units, i64 pieces, int threads);

}  // namespace optlab
