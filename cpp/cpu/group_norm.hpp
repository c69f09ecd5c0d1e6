// Group normalization; layer and instance normalization are its corners. A row is what shares one mean: the
// channels of one group of one sample at all positions, consecutive in memory.
#pragma once
#include "streams.hpp"

namespace optlab {

/// x is (batch, groups x channels, positions). Layer normalization has one group and one position.
struct NormShape {
  i64 batch, groups, channels, positions;
  i64 rows() const { return batch * groups; }
  i64 row() const { return channels * positions; }
};

/// y, and the row's mean and reciprocal standard deviation 1 / sqrt(var + eps), var over n.
template <class R>
void group_norm_forward(R* y, R* mean, R* rstd, const R* x, const R* gamma, const R* beta, double eps,
                        const NormShape& shape, int threads);

/// The rates of y, mean and rstd. Of beta only the rate matters.
template <class R>
void group_norm_forward_tangent(R* y, R* mean, R* rstd, WithRate<R> x, WithRate<R> gamma, const R* beta,
                                const R* known_mean, const R* known_rstd, const NormShape& shape, int threads);

/// dx, dgamma and dbeta of Plain arrays, their rates of arrays WithRate.
template <class In, class R = typename In::Scalar>
void group_norm_backward(R* dx, R* dgamma, R* dbeta, In dy, In x, In gamma, In mean, In rstd, const NormShape& shape,
                         int threads);

}  // namespace optlab
