// Linear passes: y = mask f(x W' + b), backward, and the derivatives of both in a direction.
#pragma once
#include "follow.hpp"

namespace optlab {

/// x (batch, in), weight (out, in), bias (out), y (batch, out).
struct LinearShape {
  i64 batch, in, out;
};

/// Rows in one sum of a bias's gradient; the sums are added with the rounding error carried along.
inline constexpr i64 kBiasBlock = 64;

/// bias may be nullptr.
template <class R>
void linear_forward(R* y, const R* x, const R* weight, const R* bias, LinearShape shape, const Follow<R>& follow,
                    int threads);

/// dx may be nullptr: the first layer of a network has no use for it. So may dweight, and dbias.
template <class R>
void linear_backward(R* dx, R* dweight, R* dbias, const R* dy, const R* x, const R* weight, const R* y,
                     LinearShape shape, const Follow<R>& follow, int threads);

/// A direction; what is held fixed is nullptr.
template <class R>
struct LinearDirection {
  const R *x, *weight, *bias;
};

template <class R>
void linear_forward_tangent(R* y_dot, LinearDirection<R> dot, const R* x, const R* weight, const R* y,
                            LinearShape shape, const Follow<R>& follow, int threads);

template <class R>
void linear_backward_tangent(R* dx_dot, R* dweight_dot, R* dbias_dot, const R* dy_dot, const R* y_dot,
                             LinearDirection<R> dot, const R* dy, const R* x, const R* weight, const R* y,
                             LinearShape shape, const Follow<R>& follow, int threads);

}  // namespace optlab
