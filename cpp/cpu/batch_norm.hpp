// Batch normalization of a matrix (rows x features) with statistics over its rows, or with given ones; its gradients,
// and the derivatives of both in a direction. nullptr stands for the absent: scales of one, shifts and directions of
// zero.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

struct MatrixShape {
  i64 rows, features;
};

/// The scale and shift of the normalized columns.
template <class R>
struct Transform {
  const R *gamma, *beta;
};

/// What makes the normalized columns: their mean and the reciprocal of their standard deviation.
template <class R>
struct Statistics {
  const R *mean, *rstd;
};

/// Averages over the batches so far, which take up a `momentum` of this batch's mean and unbiased variance.
template <class R>
struct Running {
  R *mean, *var;
  R momentum;
  void take(i64 column, R of_batch, R unbiased) const {
    const R kept = R(1) - momentum;
    mean[column] = kept * mean[column] + momentum * of_batch;
    var[column] = kept * var[column] + momentum * unbiased;
  }
};

template <class R>
void batch_norm(R* y, R* mean, R* rstd, const Running<R>* running, const R* x, Transform<R> scale, R eps, MatrixShape n,
                int threads);
/// The same of `count` columns from the first on, as they are done in a product's epilogue: narrow() matrices are read
/// in another order, and cannot be.
template <class R>
void batch_norm_columns(R* y, R* mean, R* rstd, const Running<R>* running, const R* x, Transform<R> scale, R eps,
                        MatrixShape n, i64 first, i64 count, int threads);
bool narrow(MatrixShape n);
template <class R>
void batch_norm_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const R* x, const R* gamma, Statistics<R> at,
                         MatrixShape n, int threads);
template <class R>
void batch_norm_tangent(R* y_dot, R* mean_dot, R* rstd_dot, const R* x_dot, const R* x, const R* gamma,
                        Statistics<R> at, Transform<R> scale_dot, MatrixShape n, int threads);
template <class R>
void batch_norm_backward_tangent(R* dx_dot, R* dgamma_dot, R* dbeta_dot, const R* dy_dot, const R* x_dot, const R* dy,
                                 const R* x, const R* gamma, const R* gamma_dot, Statistics<R> at, Statistics<R> at_dot,
                                 MatrixShape n, int threads);

/// The same with statistics that do not depend on x: `var` is their variance.
template <class R>
void batch_norm_eval(R* y, const R* x, const R* mean, const R* var, Transform<R> scale, R eps, MatrixShape n,
                     int threads);
template <class R>
void batch_norm_eval_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const R* x, const R* mean, const R* var,
                              const R* gamma, R eps, MatrixShape n, int threads);
template <class R>
void batch_norm_eval_tangent(R* y_dot, const R* x_dot, const R* x, const R* mean, const R* var, const R* gamma,
                             Transform<R> scale_dot, R eps, MatrixShape n, int threads);
template <class R>
void batch_norm_eval_backward_tangent(R* dx_dot, R* dgamma_dot, R* dbeta_dot, const R* dy_dot, const R* x_dot,
                                      const R* dy, const R* x, const R* mean, const R* var, const R* gamma,
                                      const R* gamma_dot, R eps, MatrixShape n, int threads);

}  // namespace optlab
