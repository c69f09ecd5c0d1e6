#include "families.hpp"
#include "running_arrays.hpp"

// The bindings are compiled as one file, so names as plain as these need a namespace of their own.
namespace optlab {
namespace batch_norm_calls {
namespace {

/// (batch, features) of the matrix that sets the shape of a call.
MatrixShape matrix_shape(Given given, const char* name) {
  const auto& array = reinterpret_cast<const py::array&>(given);
  check_shape(array, name, {-1, -1});
  return {array.shape(0), array.shape(1)};
}

/// The arrays of one call: those of the shape of x, and those with a number per feature.
template <class R>
struct Arrays {
  Call call;
  MatrixShape n;
  Arrays(Given out, std::initializer_list<const char*> names, Given x, const char* name) : call(out, names) {
    gate<R>(x, name, Access::read);
    n = matrix_shape(x, name);
  }
  Shape matrix() const { return {n.rows, n.features}; }
  Shape row() const { return {n.features}; }
  const R* whole(Given given, const char* name) { return call.template in<R>(given, name, matrix()); }
  const R* each(Given given, const char* name) { return call.template in<R>(given, name, row()); }
  const R* maybe(Given given, const char* name) { return call.template optional<R>(given, name, row()); }
  R* out_whole() { return call.template out<R>(matrix()); }
  R* out_each() { return call.template out<R>(row()); }

  template <class Kernel>
  py::object run(Kernel kernel) {
    call.run(threads_now(), kernel);
    return call.result();
  }
};

py::object forward(Given x, Given gamma, Given beta, Given eps, Given running, Given momentum, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"y", "mean", "rstd"}, x, "x");
    const R* from = a.whole(x, "x");
    const Transform<R> scale{a.maybe(gamma, "gamma"), a.maybe(beta, "beta")};
    RunningArrays<R> averages(running, momentum, a.call, a.n.rows, a.n.features);
    const R small = static_cast<R>(eps_option(eps));
    R *y = a.out_whole(), *mean = a.out_each(), *rstd = a.out_each();
    return a.run([&](int threads) {
      batch_norm(y, mean, rstd, averages.get(), from, scale, small, a.n, threads);
      averages.counted();
    });
  });
}

py::object backward(Given dy, Given x, Given gamma, Given mean, Given rstd, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"dx", "dgamma", "dbeta"}, x, "x");
    const R *slope = a.whole(dy, "dy"), *from = a.whole(x, "x"), *scale = a.maybe(gamma, "gamma");
    const Statistics<R> at{a.each(mean, "mean"), a.each(rstd, "rstd")};
    R *dx = a.out_whole(), *dgamma = a.out_each(), *dbeta = a.out_each();
    return a.run([&](int threads) { batch_norm_backward(dx, dgamma, dbeta, slope, from, scale, at, a.n, threads); });
  });
}

py::object forward_tangent(Given x_dot, Given x, Given gamma, Given mean, Given rstd, Given gamma_dot, Given beta_dot,
                           Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"y_dot", "mean_dot", "rstd_dot"}, x, "x");
    const R *move = a.whole(x_dot, "x_dot"), *from = a.whole(x, "x"), *scale = a.maybe(gamma, "gamma");
    const Statistics<R> at{a.each(mean, "mean"), a.each(rstd, "rstd")};
    const Transform<R> scale_dot{a.maybe(gamma_dot, "gamma_dot"), a.maybe(beta_dot, "beta_dot")};
    R *y_dot = a.out_whole(), *mean_dot = a.out_each(), *rstd_dot = a.out_each();
    return a.run([&](int threads) {
      batch_norm_tangent(y_dot, mean_dot, rstd_dot, move, from, scale, at, scale_dot, a.n, threads);
    });
  });
}

py::object backward_tangent(Given dy_dot, Given x_dot, Given dy, Given x, Given gamma, Given mean, Given rstd,
                            Given mean_dot, Given rstd_dot, Given gamma_dot, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"dx_dot", "dgamma_dot", "dbeta_dot"}, x, "x");
    const R *turn = a.whole(dy_dot, "dy_dot"), *move = a.whole(x_dot, "x_dot"), *slope = a.whole(dy, "dy");
    const R *from = a.whole(x, "x"), *scale = a.maybe(gamma, "gamma"), *scale_dot = a.maybe(gamma_dot, "gamma_dot");
    const Statistics<R> at{a.each(mean, "mean"), a.each(rstd, "rstd")};
    const Statistics<R> at_dot{a.each(mean_dot, "mean_dot"), a.each(rstd_dot, "rstd_dot")};
    R *dx_dot = a.out_whole(), *dgamma_dot = a.out_each(), *dbeta_dot = a.out_each();
    return a.run([&](int threads) {
      batch_norm_backward_tangent(dx_dot, dgamma_dot, dbeta_dot, turn, move, slope, from, scale, scale_dot, at, at_dot,
                                  a.n, threads);
    });
  });
}

py::object eval_forward(Given x, Given mean, Given var, Given gamma, Given beta, Given eps, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"out"}, x, "x");
    const R *from = a.whole(x, "x"), *centre = a.each(mean, "mean"), *spread = a.each(var, "var");
    const Transform<R> scale{a.maybe(gamma, "gamma"), a.maybe(beta, "beta")};
    const R small = static_cast<R>(eps_option(eps));
    R* y = a.out_whole();
    return a.run([&](int threads) { batch_norm_eval(y, from, centre, spread, scale, small, a.n, threads); });
  });
}

py::object eval_backward(Given dy, Given x, Given mean, Given var, Given gamma, Given eps, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"dx", "dgamma", "dbeta"}, x, "x");
    const R *slope = a.whole(dy, "dy"), *from = a.whole(x, "x"), *centre = a.each(mean, "mean");
    const R *spread = a.each(var, "var"), *scale = a.maybe(gamma, "gamma"), small = static_cast<R>(eps_option(eps));
    R *dx = a.out_whole(), *dgamma = a.out_each(), *dbeta = a.out_each();
    return a.run([&](int threads) {
      batch_norm_eval_backward(dx, dgamma, dbeta, slope, from, centre, spread, scale, small, a.n, threads);
    });
  });
}

py::object eval_forward_tangent(Given x_dot, Given x, Given mean, Given var, Given gamma, Given gamma_dot,
                                Given beta_dot, Given eps, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"out"}, x, "x");
    const R *move = a.whole(x_dot, "x_dot"), *from = a.whole(x, "x"), *centre = a.each(mean, "mean");
    const R *spread = a.each(var, "var"), *scale = a.maybe(gamma, "gamma"), small = static_cast<R>(eps_option(eps));
    const Transform<R> scale_dot{a.maybe(gamma_dot, "gamma_dot"), a.maybe(beta_dot, "beta_dot")};
    R* y_dot = a.out_whole();
    return a.run([&](int threads) {
      batch_norm_eval_tangent(y_dot, move, from, centre, spread, scale, scale_dot, small, a.n, threads);
    });
  });
}

py::object eval_backward_tangent(Given dy_dot, Given x_dot, Given dy, Given x, Given mean, Given var, Given gamma,
                                 Given gamma_dot, Given eps, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    Arrays<R> a(out, {"dx_dot", "dgamma_dot", "dbeta_dot"}, x, "x");
    const R *turn = a.whole(dy_dot, "dy_dot"), *move = a.whole(x_dot, "x_dot"), *slope = a.whole(dy, "dy");
    const R *from = a.whole(x, "x"), *centre = a.each(mean, "mean"), *spread = a.each(var, "var");
    const R *scale = a.maybe(gamma, "gamma"), *scale_dot = a.maybe(gamma_dot, "gamma_dot"),
            small = static_cast<R>(eps_option(eps));
    R *dx_dot = a.out_whole(), *dgamma_dot = a.out_each(), *dbeta_dot = a.out_each();
    return a.run([&](int threads) {
      batch_norm_eval_backward_tangent(dx_dot, dgamma_dot, dbeta_dot, turn, move, slope, from, centre, spread, scale,
                                       scale_dot, small, a.n, threads);
    });
  });
}

}  // namespace
}  // namespace batch_norm_calls

void bind_batch_norm(py::module_& m) {
  using namespace batch_norm_calls;
  m.def("batch_norm_forward", &forward);
  m.def("batch_norm_backward", &backward);
  m.def("batch_norm_forward_tangent", &forward_tangent);
  m.def("batch_norm_backward_tangent", &backward_tangent);
  m.def("batch_norm_eval_forward", &eval_forward);
  m.def("batch_norm_eval_backward", &eval_backward);
  m.def("batch_norm_eval_forward_tangent", &eval_forward_tangent);
  m.def("batch_norm_eval_backward_tangent", &eval_backward_tangent);
}

}  // namespace optlab
