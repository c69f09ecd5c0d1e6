#include "call.hpp"
#include "cpu/maxout.hpp"
#include "cpu/threads.hpp"
#include "families.hpp"
#include "follow_options.hpp"

namespace optlab {
namespace {

/// Gates inputs of one shape and an output like them, and calls body(call, output, inputs, n), which checks the options
/// and then runs the kernel.
template <std::size_t count, class Body>
py::object elementwise(const Named (&given)[count], const py::handle& out, Body body) {
  return by_dtype(given[0].array, given[0].name, [&](auto zero) {
    using R = decltype(zero);
    const py::array& first = gate<R>(given[0].array, given[0].name, Access::read);
    if (first.ndim() == 0)
      throw py::value_error(std::string(given[0].name) + ": got 0 dimensions, expected at least one");
    const Shape shape = shape_of(first);
    const R* in[count];
    Call call(out, {"out"});
    for (std::size_t k = 0; k < count; ++k) in[k] = call.in<R>(given[k].array, given[k].name, shape);
    R* to = call.out<R>(shape);
    body(call, to, in, static_cast<i64>(first.size()));
    return call.result();
  });
}

// ---------------------------------------------------------------- activations

/// Runs loop(activation, begin, n, parameter) over spans of the n elements.
template <class R, class Loop>
void run_activation(const Call& call, const py::handle& name, const py::handle& parameter, i64 n, Loop loop) {
  constexpr i64 chunk = 1024;
  const Activation<R>& activation = named_activation<R>(name);
  const R p = activation_parameter(activation, parameter);
  call.run(worthwhile(threads_now(), n), [&](int threads) {
    parallel((n + chunk - 1) / chunk, threads,
             [&](i64 begin, i64 end) { loop(activation, begin * chunk, std::min(n, end * chunk) - begin * chunk, p); });
  });
}

py::object activation_forward(const py::handle& x, const py::handle& name, const py::handle& parameter,
                              const py::handle& out) {
  return elementwise({{x, "x"}}, out, [&](const Call& call, auto* y, auto** in, i64 n) {
    using R = std::decay_t<decltype(*y)>;
    run_activation<R>(call, name, parameter, n,
                      [=](const Activation<R>& a, i64 at, i64 count, R p) { a.forward(y + at, in[0] + at, count, p); });
  });
}

/// backward, and forward_tangent by another name.
py::object activation_slope(const py::handle& d, const char* d_name, const py::handle& y, const py::handle& name,
                            const py::handle& parameter, const py::handle& out) {
  return elementwise({{d, d_name}, {y, "y"}}, out, [&](const Call& call, auto* to, auto** in, i64 n) {
    using R = std::decay_t<decltype(*to)>;
    run_activation<R>(call, name, parameter, n, [=](const Activation<R>& a, i64 at, i64 count, R p) {
      a.backward(to + at, in[0] + at, in[1] + at, count, p);
    });
  });
}

py::object activation_backward_tangent(const py::handle& dy_dot, const py::handle& y_dot, const py::handle& dy,
                                       const py::handle& y, const py::handle& name, const py::handle& parameter,
                                       const py::handle& out) {
  return elementwise({{dy_dot, "dy_dot"}, {y_dot, "y_dot"}, {dy, "dy"}, {y, "y"}}, out,
                     [&](const Call& call, auto* to, auto** in, i64 n) {
                       using R = std::decay_t<decltype(*to)>;
                       run_activation<R>(call, name, parameter, n, [=](const Activation<R>& a, i64 at, i64 count, R p) {
                         a.backward_tangent(to + at, in[0] + at, in[1] + at, in[2] + at, in[3] + at, count, p);
                       });
                     });
}

// ---------------------------------------------------------------- dropout

py::object dropout_map(const py::handle& x, const char* x_name, const py::handle& p, const py::handle& seed,
                       const py::handle& stream, const py::handle& step, const py::handle& run, const py::handle& out) {
  return elementwise({{x, x_name}}, out, [&](const Call& call, auto* y, auto** in, i64 n) {
    const DropoutOptions options = dropout_options({p, seed, stream, step, run}, x_name, n);
    call.run(worthwhile(threads_now(), n),
             [&](int threads) { dropout(y, in[0], n, options.p, options.run, options.at, threads); });
  });
}

/// Dropout in place of a span inside a longer array, as other kernels apply it to their tiles; for the tests.
template <class R>
void dropout_tile(const py::handle& x, i64 first_element, double p, u64 seed) {
  const py::array& array = gate<R>(x, "x", Access::write);
  const FloatEnvironment environment;
  const R keep_scale = static_cast<R>(1 / (1 - p));
  R* span = pointer<R>(array);
  dropout_span(span, span, first_element, array.size(), keep_scale, dropout_threshold(p), 0, {seed, kDropout, 0});
}

// ---------------------------------------------------------------- maxout

struct MaxoutShape {
  Shape x, y;
  i64 units, pieces;
};

template <class R>
MaxoutShape maxout_shape(const py::handle& given, const py::handle& pieces_given) {
  const py::array& x = gate<R>(given, "x", Access::read);
  check_shape(x, "x", {-1, -1});
  const i64 pieces = static_cast<i64>(whole_option(pieces_given, "pieces", 1, 1u << 31));
  if (x.shape(1) % pieces)
    throw py::value_error("x: got shape " + shape_text(shape_of(x)) + ", expected (rows, units * " +
                          std::to_string(pieces) + ")");
  return {shape_of(x), {x.shape(0), x.shape(1) / pieces}, x.size() / pieces, pieces};
}

/// Forward where `from` is x itself, and its tangent.
py::object maxout_gather(const py::handle& from, const char* from_name, const py::handle& x, const py::handle& pieces,
                         const py::handle& out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    const MaxoutShape shape = maxout_shape<R>(x, pieces);
    Call call(out, {"out"});
    const R* values = call.in<R>(x, "x", shape.x);
    const R* taken = call.in<R>(from, from_name, shape.x);
    R* to = call.out<R>(shape.y);
    call.run(worthwhile(threads_now(), shape.units * shape.pieces),
             [&](int threads) { maxout_take(to, taken, values, shape.units, shape.pieces, threads); });
    return call.result();
  });
}

/// Backward, and its tangent by another name.
py::object maxout_scatter(const py::handle& dy, const char* dy_name, const py::handle& x, const py::handle& pieces,
                          const py::handle& out) {
  return by_dtype(x, "x", [&](auto zero) {
    using R = decltype(zero);
    const MaxoutShape shape = maxout_shape<R>(x, pieces);
    Call call(out, {"out"});
    const R* values = call.in<R>(x, "x", shape.x);
    const R* given = call.in<R>(dy, dy_name, shape.y);
    R* to = call.out<R>(shape.x);
    call.run(worthwhile(threads_now(), shape.units * shape.pieces),
             [&](int threads) { maxout_spread(to, given, values, shape.units, shape.pieces, threads); });
    return call.result();
  });
}

}  // namespace

void bind_activations(py::module_& m) {
  using H = const py::handle&;
  m.attr("activations") = py::tuple(py::cast(activation_names()));
  m.def("activation_forward", &activation_forward);
  m.def("activation_backward",
        [](H dy, H y, H name, H parameter, H out) { return activation_slope(dy, "dy", y, name, parameter, out); });
  m.def("activation_forward_tangent", [](H x_dot, H y, H name, H parameter, H out) {
    return activation_slope(x_dot, "x_dot", y, name, parameter, out);
  });
  m.def("activation_backward_tangent", &activation_backward_tangent);
  m.def("dropout", [](H x, const char* name, H p, H seed, H stream, H step, H run, H out) {
    return dropout_map(x, name, p, seed, stream, step, run, out);
  });
  m.def("dropout_tile", [](H x, i64 first_element, double p, u64 seed) {
    if (float_kind(x, "x") == 'f')
      dropout_tile<float>(x, first_element, p, seed);
    else
      dropout_tile<double>(x, first_element, p, seed);
  });
  m.def("maxout_forward", [](H x, H pieces, H out) { return maxout_gather(x, "x", x, pieces, out); });
  m.def("maxout_forward_tangent",
        [](H x_dot, H x, H pieces, H out) { return maxout_gather(x_dot, "x_dot", x, pieces, out); });
  m.def("maxout_backward", [](H dy, H x, H pieces, H out) { return maxout_scatter(dy, "dy", x, pieces, out); });
  m.def("maxout_backward_tangent",
        [](H dy_dot, H x, H pieces, H out) { return maxout_scatter(dy_dot, "dy_dot", x, pieces, out); });
}

}  // namespace optlab
