#include "call.hpp"
#include "cpu/softmax.hpp"
#include "families.hpp"

namespace optlab {
namespace {

/// kernel(out, in, rows, classes, threads) of some arrays of one shape (rows, classes) into another.
template <std::size_t n, class Kernel>
py::object row_wise(const Named (&given)[n], const char* result, const py::handle& out, Kernel kernel) {
  return by_dtype(given[0].array, given[0].name, [&](auto r) {
    using R = decltype(r);
    Call call(out, {result});
    Shape shape{-1, -1};
    const R* in[n];
    for (std::size_t k = 0; k < n; ++k) {
      in[k] = call.in<R>(given[k].array, given[k].name, shape);
      if (k == 0) shape = shape_of(reinterpret_cast<const py::array&>(given[k].array));
    }
    R* to = call.out<R>(shape);
    call.run(worthwhile(threads_now(), shape[0] * shape[1]),
             [&](int threads) { kernel(to, in, shape[0], shape[1], threads); });
    return call.result();
  });
}

}  // namespace

void bind_softmax(py::module_& m) {
  using H = const py::handle&;
  m.def("softmax_forward", [](H x, H out) {
    return row_wise({{x, "x"}}, "y", out, [](auto* y, auto in, auto... of) { softmax(y, in[0], of...); });
  });
  m.def("log_softmax_forward", [](H x, H out) {
    return row_wise({{x, "x"}}, "y", out, [](auto* y, auto in, auto... of) { log_softmax(y, in[0], of...); });
  });
  m.def("softmax_backward", [](H dy, H y, H out) {
    return row_wise({{dy, "dy"}, {y, "y"}}, "dx", out,
                    [](auto* dx, auto in, auto... of) { softmax_jacobian(dx, in[0], in[1], of...); });
  });
  m.def("log_softmax_backward", [](H dy, H y, H out) {
    return row_wise({{dy, "dy"}, {y, "y"}}, "dx", out,
                    [](auto* dx, auto in, auto... of) { log_softmax_backward(dx, in[0], in[1], of...); });
  });
  m.def("softmax_forward_tangent", [](H x_dot, H y, H out) {
    return row_wise({{x_dot, "x_dot"}, {y, "y"}}, "y_dot", out,
                    [](auto* y_dot, auto in, auto... of) { softmax_jacobian(y_dot, in[0], in[1], of...); });
  });
  m.def("log_softmax_forward_tangent", [](H x_dot, H y, H out) {
    return row_wise({{x_dot, "x_dot"}, {y, "y"}}, "y_dot", out,
                    [](auto* y_dot, auto in, auto... of) { log_softmax_tangent(y_dot, in[0], in[1], of...); });
  });
  m.def("softmax_backward_tangent", [](H dy_dot, H y_dot, H dy, H y, H out) {
    return row_wise(
        {{dy_dot, "dy_dot"}, {y_dot, "y_dot"}, {dy, "dy"}, {y, "y"}}, "dx_dot", out,
        [](auto* to, auto in, auto... of) { softmax_backward_tangent(to, in[0], in[1], in[2], in[3], of...); });
  });
  m.def("log_softmax_backward_tangent", [](H dy_dot, H y_dot, H dy, H y, H out) {
    return row_wise(
        {{dy_dot, "dy_dot"}, {y_dot, "y_dot"}, {dy, "dy"}, {y, "y"}}, "dx_dot", out,
        [](auto* to, auto in, auto... of) { log_softmax_backward_tangent(to, in[0], in[1], in[2], in[3], of...); });
  });
}

}  // namespace optlab
