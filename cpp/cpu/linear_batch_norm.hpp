// A linear layer and the batch normalization behind it in one go.
#pragma once
#include "batch_norm.hpp"
#include "linear.hpp"

namespace optlab {

/// z = x W', y = mask f(batch norm of z): as soon as a panel of z's columns is finished, and still in the cache, its
/// statistics are taken and its y is written.
template <class R>
void linear_batch_norm(R* y, R* z, R* mean, R* rstd, const Running<R>* running, const R* x, const R* weight,
                       Transform<R> scale, R eps, LinearShape shape, const Follow<R>& follow, int threads);

}  // namespace optlab
