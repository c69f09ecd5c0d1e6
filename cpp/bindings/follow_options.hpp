// What may follow an affine map, as Python gives it: an activation with its parameter, and dropout.
#pragma once
#include "cpu/activation.hpp"
#include "cpu/follow.hpp"
#include "options.hpp"

namespace optlab {

template <class R>
R activation_parameter(const Activation<R>& activation, const py::handle& given) {
  if (given.is_none()) return activation.default_parameter;
  if (!activation.parameter_name)
    throw py::value_error("parameter: got " + repr_of(given) + ", expected None, since " + activation.name +
                          " has no parameter");
  real_option(given, "parameter");
  const R value = number<R>(given), lowest = activation.lowest_parameter;
  const bool inside = value > lowest || (activation.lowest_allowed && value == lowest);
  if (!inside || !std::isfinite(value))
    throw py::value_error("parameter: got " + repr_of(given) + ", expected a finite " + activation.parameter_name +
                          (activation.lowest_allowed ? " >= 0" : " > 0"));
  return value;
}

template <class R>
const Activation<R>& named_activation(const py::handle& name) {
  if (!PyUnicode_Check(name.ptr())) throw py::type_error("activation: got " + repr_of(name) + ", expected a name");
  return find_activation<R>(py::cast<std::string>(name));
}

struct DropoutOptions {
  double p;
  u32 run;
  DrawAddress at;
};

/// `given` holds p, seed, stream, step and run; the mask has as many elements as the array of this name.
inline DropoutOptions dropout_options(const py::handle (&given)[5], const char* name, i64 elements) {
  const double p = real_option(given[0], "p");
  if (!(p >= 0 && p < 1)) throw py::value_error("p: got " + repr_of(given[0]) + ", expected a number >= 0 and < 1");
  const DrawAddress at{whole_option(given[1], "seed", 0, ~0ull),
                       static_cast<u32>(whole_option(given[2], "stream", 0, 0xffff)),
                       whole_option(given[3], "step", 0, kMaxStep - 1)};
  const u32 run = static_cast<u32>(whole_option(given[4], "run", 0, 0xffffffff));
  if (elements > i64{1} << 34)
    throw py::value_error(std::string(name) + ": got " + std::to_string(elements) +
                          " elements, expected at most 2**34");
  return {p, run, at};
}

/// `dropout` is None or a tuple as above.
template <class R>
Follow<R> follow_options(const py::handle& activation, const py::handle& parameter, const py::handle& dropout,
                         i64 elements) {
  const Activation<R>& named = named_activation<R>(activation);
  Follow<R> follow{&named, activation_parameter(named, parameter), 0.0, 0, {}};
  if (dropout.is_none()) return follow;
  if (!py::isinstance<py::tuple>(dropout) || py::len(dropout) != 5)
    throw py::type_error("dropout: got " + repr_of(dropout) + ", expected None or ops.Dropout(p, seed, ...)");
  py::handle entries[5];
  for (int i = 0; i < 5; ++i) entries[i] = PyTuple_GET_ITEM(dropout.ptr(), i);
  const DropoutOptions options = dropout_options(entries, "y", elements);
  follow.p = options.p;
  follow.run = options.run;
  follow.at = options.at;
  return follow;
}

}  // namespace optlab
