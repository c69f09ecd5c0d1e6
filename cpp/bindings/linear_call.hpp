// The arrays and options that the linear passes have in common.
#pragma once
#include "call.hpp"
#include "cpu/linear.hpp"
#include "follow_options.hpp"

namespace optlab {

/// x and weight, which every pass takes, and what follows them.
template <class R>
struct LinearCall {
  LinearCall(Call& call, Given x, Given weight, Given activation, Given parameter, Given dropout) {
    this->x = call.in<R>(x, "x", {-1, -1});
    const auto& rows = reinterpret_cast<const py::array&>(x);
    this->weight = call.in<R>(weight, "weight", {-1, rows.shape(1)});
    shape = {rows.shape(0), rows.shape(1), reinterpret_cast<const py::array&>(weight).shape(0)};
    follow = follow_options<R>(activation, parameter, dropout, shape.batch * shape.out);
  }
  Shape x_shape() const { return {shape.batch, shape.in}; }
  Shape y_shape() const { return {shape.batch, shape.out}; }
  Shape weight_shape() const { return {shape.out, shape.in}; }
  Shape bias_shape() const { return {shape.out}; }
  /// y, which the passes need where anything follows.
  const R* value(Call& call, Given y) const {
    return follow.is_identity() ? call.optional<R>(y, "y", y_shape()) : call.in<R>(y, "y", y_shape());
  }
  LinearDirection<R> direction(Call& call, Given x_dot, Given weight_dot, Given bias_dot) const {
    return {call.optional<R>(x_dot, "x_dot", x_shape()), call.optional<R>(weight_dot, "weight_dot", weight_shape()),
            call.optional<R>(bias_dot, "bias_dot", bias_shape())};
  }
  const R *x, *weight;
  LinearShape shape;
  Follow<R> follow;
};

}  // namespace optlab
