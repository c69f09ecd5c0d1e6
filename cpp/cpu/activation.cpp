#include "activation.hpp"

#include <stdexcept>

#include "optlab/activations/list.hpp"
#include "spans.hpp"

namespace optlab {
namespace {

template <class F, class R>
void forward(R* y, const R* x, i64 n, R parameter) {
  for_packs<R>(n, [=](i64, auto in, auto out) { out(y, F::template value<Pack<R>>(in(x), parameter)); });
}

/// Both backward and forward_tangent: the derivative of one number is its own transpose.
template <class F, class R>
void apply_slope(R* out_dot, const R* dot, const R* y, i64 n, R parameter) {
  for_packs<R>(n,
               [=](i64, auto in, auto out) { out(out_dot, in(dot) * F::template slope<Pack<R>>(in(y), parameter)); });
}

template <class F, class R>
void backward_tangent(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 n, R parameter) {
  using P = Pack<R>;
  if constexpr (F::piecewise_linear) return apply_slope<F>(dx_dot, dy_dot, y, n, parameter);
  for_packs<R>(n, [=](i64, auto in, auto out) {
    const P at = in(y), bend = F::template bend<P>(at, parameter);
    out(dx_dot, in(dy_dot) * F::template slope<P>(at, parameter) + (in(dy) * bend) * in(y_dot));
  });
}

template <class F, class R>
Activation<R> make_activation(const char* name) {
  return {name,
          F::parameter_name,
          static_cast<R>(F::default_parameter),
          static_cast<R>(F::lowest_parameter),
          F::lowest_allowed,
          &F::template low<R>,
          &F::template high<R>,
          &forward<F, R>,
          &apply_slope<F, R>,
          &apply_slope<F, R>,
          &backward_tangent<F, R>};
}

template <class R>
const Activation<R> activations[] = {
#define OPTLAB_ACTIVATION(name, Functor) make_activation<Functor, R>(#name),
    OPTLAB_ACTIVATIONS(OPTLAB_ACTIVATION)
#undef OPTLAB_ACTIVATION
};

}  // namespace

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const auto& activation : activations<double>) names.push_back(activation.name);
  return names;
}

template <class R>
const Activation<R>& find_activation(const std::string& name) {
  for (const Activation<R>& activation : activations<R>)
    if (name == activation.name) return activation;
  std::string known;
  for (const std::string& one : activation_names()) known += (known.empty() ? "" : ", ") + one;
  throw std::invalid_argument("activation: got '" + name + "', expected one of " + known);
}

template const Activation<float>& find_activation(const std::string&);
template const Activation<double>& find_activation(const std::string&);

}  // namespace optlab
