// An activation as the host's loops see it.
#pragma once
#include <string>
#include <vector>

#include "optlab/portable.hpp"

namespace optlab {

/// One activation of the list with its loops for the number type R, each over n elements of a span of any length.
template <class R>
struct Activation {
  const char* name;
  const char* parameter_name;  ///< nullptr when it has no parameter
  R default_parameter, lowest_parameter;
  bool lowest_allowed;
  R (*low)(R parameter);  ///< what y never falls below
  R (*high)(R parameter);
  /// y = f(x); y may be x.
  void (*forward)(R* y, const R* x, i64 n, R parameter);
  /// dx = f'(x) dy, with f' taken from y; dx may be dy.
  void (*backward)(R* dx, const R* dy, const R* y, i64 n, R parameter);
  /// y_dot = f'(x) x_dot: the same loop.
  void (*forward_tangent)(R* y_dot, const R* x_dot, const R* y, i64 n, R parameter);
  /// dx_dot = f'(x) dy_dot + f''(x) x_dot dy, with f'' x_dot = (f'' / f') y_dot; dx_dot may be any of the three.
  void (*backward_tangent)(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 n, R parameter);
};

/// Throws std::invalid_argument, with the names there are.
template <class R>
const Activation<R>& find_activation(const std::string& name);
std::vector<std::string> activation_names();

}  // namespace optlab
