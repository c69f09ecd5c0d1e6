// Softmax and its logarithm over the rows of a matrix, and what differentiation makes of them.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

/// y = exp(x - max) / sum, or x - max - log sum; both take (rows, classes).
template <class R>
void softmax(R* y, const R* x, i64 rows, i64 classes, int threads);
template <class R>
void log_softmax(R* y, const R* x, i64 rows, i64 classes, int threads);

/// J v for the Jacobian J at the result y: y (v - <y, v>). J is symmetric, so this is backward and tangent at once.
template <class R>
void softmax_jacobian(R* out, const R* v, const R* y, i64 rows, i64 classes, int threads);
/// J' dy = dy - exp(y) sum(dy), and J v = v - <exp(y), v>.
template <class R>
void log_softmax_backward(R* dx, const R* dy, const R* y, i64 rows, i64 classes, int threads);
template <class R>
void log_softmax_tangent(R* y_dot, const R* x_dot, const R* y, i64 rows, i64 classes, int threads);

/// The derivatives of the two backward passes as functions of (dy, y).
template <class R>
void softmax_backward_tangent(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 rows,
                              i64 classes, int threads);
template <class R>
void log_softmax_backward_tangent(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 rows,
                                  i64 classes, int threads);

}  // namespace optlab
