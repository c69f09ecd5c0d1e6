// Layer, group, instance and weight normalization.
#include "cpu/weight_norm.hpp"
#include "families.hpp"
#include "norm_call.hpp"

namespace optlab::norms {

py::object forward(Kind kind, Given x, Given groups, Given gamma, Given beta, Given eps, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    const Layout at = layout_of(kind, x, groups, x);
    const double checked = eps_option(eps);
    Arrays<R> call(out, {"y", "mean", "rstd"});
    const R* from = call.template in<R>(x, "x", at.x);
    const R* scale = call.filled(gamma, "gamma", at.channels(), R(1));
    const R* shift = call.filled(beta, "beta", at.channels(), R(0));
    R* y = call.template out<R>(at.x);
    R* mean = call.template out<R>(at.statistics);
    R* rstd = call.template out<R>(at.statistics);
    call.run(threads_now(),
             [&](int threads) { group_norm_forward(y, mean, rstd, from, scale, shift, checked, at.norm, threads); });
    return call.result();
  });
}

py::object forward_tangent(Kind kind, Given x_dot, Given x, Given gamma, Given mean, Given rstd, Given gamma_dot,
                           Given beta_dot, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    const Layout at = layout_of(kind, x, {}, mean);
    Arrays<R> call(out, {"y_dot", "mean_dot", "rstd_dot"});
    const WithRate<R> from = call.with_rate(x, "x", x_dot, "x_dot", at.x);
    const WithRate<R> scale = call.parameter(gamma, gamma_dot, "gamma", "gamma_dot", at.channels());
    const R* shift = call.filled(beta_dot, "beta_dot", at.channels(), R(0));
    const R* means = call.template in<R>(mean, "mean", at.statistics);
    const R* rstds = call.template in<R>(rstd, "rstd", at.statistics);
    R* y = call.template out<R>(at.x);
    R* mean_rate = call.template out<R>(at.statistics);
    R* rstd_rate = call.template out<R>(at.statistics);
    call.run(threads_now(), [&](int threads) {
      group_norm_forward_tangent(y, mean_rate, rstd_rate, from, scale, shift, means, rstds, at.norm, threads);
    });
    return call.result();
  });
}

py::object backward(Kind kind, Given dy, Given x, Given gamma, Given mean, Given rstd, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    const Layout at = layout_of(kind, x, {}, mean);
    Arrays<R> call(out, {"dx", "dgamma", "dbeta"});
    const Plain<R> from{call.template in<R>(x, "x", at.x)}, gradient{call.template in<R>(dy, "dy", at.x)};
    const Plain<R> scale{call.filled(gamma, "gamma", at.channels(), R(1))};
    const Plain<R> means{call.template in<R>(mean, "mean", at.statistics)};
    const Plain<R> rstds{call.template in<R>(rstd, "rstd", at.statistics)};
    R* dx = call.template out<R>(at.x);
    R* dgamma = call.template out<R>(at.channels());
    R* dbeta = call.template out<R>(at.channels());
    call.run(threads_now(), [&](int threads) {
      group_norm_backward(dx, dgamma, dbeta, gradient, from, scale, means, rstds, at.norm, threads);
    });
    return call.result();
  });
}

py::object backward_tangent(Kind kind, Given dy_dot, Given x_dot, Given dy, Given x, Given gamma, Given mean,
                            Given rstd, Given mean_dot, Given rstd_dot, Given gamma_dot, Given out) {
  return by_dtype(x, "x", [&](auto r) {
    using R = decltype(r);
    const Layout at = layout_of(kind, x, {}, mean);
    Arrays<R> call(out, {"dx_dot", "dgamma_dot", "dbeta_dot"});
    const WithRate<R> from = call.with_rate(x, "x", x_dot, "x_dot", at.x);
    const WithRate<R> gradient = call.with_rate(dy, "dy", dy_dot, "dy_dot", at.x);
    const WithRate<R> scale = call.parameter(gamma, gamma_dot, "gamma", "gamma_dot", at.channels());
    const WithRate<R> means = call.with_rate(mean, "mean", mean_dot, "mean_dot", at.statistics);
    const WithRate<R> rstds = call.with_rate(rstd, "rstd", rstd_dot, "rstd_dot", at.statistics);
    R* dx = call.template out<R>(at.x);
    R* dgamma = call.template out<R>(at.channels());
    R* dbeta = call.template out<R>(at.channels());
    call.run(threads_now(), [&](int threads) {
      group_norm_backward(dx, dgamma, dbeta, gradient, from, scale, means, rstds, at.norm, threads);
    });
    return call.result();
  });
}

/// v of (outputs, inputs) and one number per output.
struct WeightLayout {
  Shape v, g;
};

WeightLayout weights_of(Given v) {
  const auto array = py::reinterpret_borrow<py::array>(v);
  if (array.ndim() != 2)
    throw py::value_error("v: got shape " + shape_text(shape_of(array)) + ", expected (outputs, inputs)");
  return {shape_of(array), {array.shape(0)}};
}

py::object weight_forward(Given v, Given g, Given out) {
  return by_dtype(v, "v", [&](auto r) {
    using R = decltype(r);
    const WeightLayout at = weights_of(v);
    Arrays<R> call(out, {"w", "norm"});
    const R* from = call.template in<R>(v, "v", at.v);
    const R* scale = call.template in<R>(g, "g", at.g);
    R* w = call.template out<R>(at.v);
    R* norm = call.template out<R>(at.g);
    call.run(threads_now(), [&](int threads) { weight_norm_forward(w, norm, from, scale, at.v[0], at.v[1], threads); });
    return call.result();
  });
}

py::object weight_forward_tangent(Given v_dot, Given v, Given g, Given norm, Given g_dot, Given out) {
  return by_dtype(v, "v", [&](auto r) {
    using R = decltype(r);
    const WeightLayout at = weights_of(v);
    Arrays<R> call(out, {"w_dot", "norm_dot"});
    const WithRate<R> from = call.with_rate(v, "v", v_dot, "v_dot", at.v);
    const R* value = call.template in<R>(g, "g", at.g);
    const WithRate<R> scale{value, call.filled(g_dot, "g_dot", at.g, R(0))};
    const R* norms = call.template in<R>(norm, "norm", at.g);
    R* w = call.template out<R>(at.v);
    R* norm_rate = call.template out<R>(at.g);
    call.run(threads_now(), [&](int threads) {
      weight_norm_forward_tangent(w, norm_rate, from, scale, norms, at.v[0], at.v[1], threads);
    });
    return call.result();
  });
}

py::object weight_backward(Given dw, Given v, Given g, Given norm, Given out) {
  return by_dtype(v, "v", [&](auto r) {
    using R = decltype(r);
    const WeightLayout at = weights_of(v);
    Arrays<R> call(out, {"dv", "dg"});
    const Plain<R> from{call.template in<R>(v, "v", at.v)}, gradient{call.template in<R>(dw, "dw", at.v)};
    const Plain<R> scale{call.template in<R>(g, "g", at.g)}, norms{call.template in<R>(norm, "norm", at.g)};
    R* dv = call.template out<R>(at.v);
    R* dg = call.template out<R>(at.g);
    call.run(threads_now(), [&](int threads) {
      weight_norm_backward(dv, dg, gradient, from, scale, norms, at.v[0], at.v[1], threads);
    });
    return call.result();
  });
}

py::object weight_backward_tangent(Given dw_dot, Given v_dot, Given dw, Given v, Given g, Given norm, Given norm_dot,
                                   Given g_dot, Given out) {
  return by_dtype(v, "v", [&](auto r) {
    using R = decltype(r);
    const WeightLayout at = weights_of(v);
    Arrays<R> call(out, {"dv_dot", "dg_dot"});
    const WithRate<R> from = call.with_rate(v, "v", v_dot, "v_dot", at.v);
    const WithRate<R> gradient = call.with_rate(dw, "dw", dw_dot, "dw_dot", at.v);
    const R* value = call.template in<R>(g, "g", at.g);
    const WithRate<R> scale{value, call.filled(g_dot, "g_dot", at.g, R(0))};
    const WithRate<R> norms = call.with_rate(norm, "norm", norm_dot, "norm_dot", at.g);
    R* dv = call.template out<R>(at.v);
    R* dg = call.template out<R>(at.g);
    call.run(threads_now(), [&](int threads) {
      weight_norm_backward(dv, dg, gradient, from, scale, norms, at.v[0], at.v[1], threads);
    });
    return call.result();
  });
}

/// The kinds differ in what they read off x; only group normalization is told its groups, by the forward call.
template <Kind kind>
void bind_kind(py::module_& m, const std::string& name) {
  if constexpr (kind == Kind::group)
    m.def("group_norm_forward", [](Given x, Given groups, Given gamma, Given beta, Given eps, Given out) {
      return forward(kind, x, groups, gamma, beta, eps, out);
    });
  else
    m.def((name + "_forward").c_str(), [](Given x, Given gamma, Given beta, Given eps, Given out) {
      return forward(kind, x, {}, gamma, beta, eps, out);
    });
  m.def((name + "_forward_tangent").c_str(),
        [](Given x_dot, Given x, Given gamma, Given mean, Given rstd, Given gamma_dot, Given beta_dot, Given out) {
          return forward_tangent(kind, x_dot, x, gamma, mean, rstd, gamma_dot, beta_dot, out);
        });
  m.def((name + "_backward").c_str(), [](Given dy, Given x, Given gamma, Given mean, Given rstd, Given out) {
    return backward(kind, dy, x, gamma, mean, rstd, out);
  });
  m.def((name + "_backward_tangent").c_str(),
        [](Given dy_dot, Given x_dot, Given dy, Given x, Given gamma, Given mean, Given rstd, Given mean_dot,
           Given rstd_dot, Given gamma_dot, Given out) {
          return backward_tangent(kind, dy_dot, x_dot, dy, x, gamma, mean, rstd, mean_dot, rstd_dot, gamma_dot, out);
        });
}

}  // namespace optlab::norms

namespace optlab {

void bind_norms(py::module_& m) {
  using namespace norms;
  bind_kind<Kind::layer>(m, "layer_norm");
  bind_kind<Kind::group>(m, "group_norm");
  bind_kind<Kind::instance>(m, "instance_norm");
  m.def("weight_norm_forward", &weight_forward);
  m.def("weight_norm_forward_tangent", &weight_forward_tangent);
  m.def("weight_norm_backward", &weight_backward);
  m.def("weight_norm_backward_tangent", &weight_backward_tangent);
}

}  // namespace optlab
