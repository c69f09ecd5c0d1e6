#include "families.hpp"
#include "linear_call.hpp"

namespace optlab {
namespace {

py::object linear_forward_call(Given x, Given weight, Given bias, Given activation, Given parameter, Given dropout,
                               Given out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    Call call(out, {"y"});
    const LinearCall<R> pass(call, x, weight, activation, parameter, dropout);
    const R* b = call.optional<R>(bias, "bias", pass.bias_shape());
    R* y = call.out<R>(pass.y_shape());
    call.run(threads_now(),
             [&](int threads) { linear_forward(y, pass.x, pass.weight, b, pass.shape, pass.follow, threads); });
    return call.result();
  });
}

py::object linear_backward_call(Given dy, Given x, Given weight, Given y, Given activation, Given parameter,
                                Given dropout, bool input_gradient, Given out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    Call call(out, {"dx", "dweight", "dbias"});
    const LinearCall<R> pass(call, x, weight, activation, parameter, dropout);
    const R *upper = call.in<R>(dy, "dy", pass.y_shape()), *value = pass.value(call, y);
    R* dx = input_gradient ? call.out<R>(pass.x_shape()) : call.no_out<R>();
    R *dweight = call.out<R>(pass.weight_shape()), *dbias = call.out<R>(pass.bias_shape());
    call.run(threads_now(), [&](int threads) {
      linear_backward(dx, dweight, dbias, upper, pass.x, pass.weight, value, pass.shape, pass.follow, threads);
    });
    return call.result();
  });
}

py::object linear_forward_tangent_call(Given x_dot, Given x, Given weight, Given y, Given weight_dot, Given bias_dot,
                                       Given activation, Given parameter, Given dropout, Given out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    Call call(out, {"y_dot"});
    const LinearCall<R> pass(call, x, weight, activation, parameter, dropout);
    const LinearDirection<R> dot = pass.direction(call, x_dot, weight_dot, bias_dot);
    const R* value = pass.value(call, y);
    R* y_dot = call.out<R>(pass.y_shape());
    call.run(threads_now(), [&](int threads) {
      linear_forward_tangent(y_dot, dot, pass.x, pass.weight, value, pass.shape, pass.follow, threads);
    });
    return call.result();
  });
}

py::object linear_backward_tangent_call(Given dy_dot, Given x_dot, Given dy, Given x, Given weight, Given y,
                                        Given y_dot, Given weight_dot, Given activation, Given parameter, Given dropout,
                                        bool input_gradient, Given out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    Call call(out, {"dx_dot", "dweight_dot", "dbias_dot"});
    const LinearCall<R> pass(call, x, weight, activation, parameter, dropout);
    const R *upper_dot = call.in<R>(dy_dot, "dy_dot", pass.y_shape()), *upper = call.in<R>(dy, "dy", pass.y_shape());
    const LinearDirection<R> dot = pass.direction(call, x_dot, weight_dot, py::none());
    const R *value = pass.value(call, y),
            *value_dot = pass.follow.is_identity() ? nullptr : call.in<R>(y_dot, "y_dot", pass.y_shape());
    R* dx_dot = input_gradient ? call.out<R>(pass.x_shape()) : call.no_out<R>();
    R *dweight_dot = call.out<R>(pass.weight_shape()), *dbias_dot = call.out<R>(pass.bias_shape());
    call.run(threads_now(), [&](int threads) {
      linear_backward_tangent(dx_dot, dweight_dot, dbias_dot, upper_dot, value_dot, dot, upper, pass.x, pass.weight,
                              value, pass.shape, pass.follow, threads);
    });
    return call.result();
  });
}

}  // namespace

void bind_linear(py::module_& m) {
  m.def("linear_forward", &linear_forward_call);
  m.def("linear_backward", &linear_backward_call);
  m.def("linear_forward_tangent", &linear_forward_tangent_call);
  m.def("linear_backward_tangent", &linear_backward_tangent_call);
}

}  // namespace optlab
