// An optimizer's hyperparameters as Python hands them over: an optlab.backends.specs.StepPlan.
#pragma once
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>

#include "cpu/optimizer.hpp"
#include "gate.hpp"
#include "optlab/quantize.hpp"

namespace optlab {

/// The error of an optimizer that is to raise one where a gradient is not finite.
[[noreturn]] inline void refuse_gradient(const std::string& name, double number, const std::string& index, i64 step) {
  const std::string text = number != number ? "nan" : number < 0 ? "-inf" : "inf";
  const std::string message = name + ": got " + text + " at index " + index + " in step " + std::to_string(step) +
                              ", expected finite numbers, as nonfinite='raise' asks";
  PyErr_SetString(PyExc_FloatingPointError, message.c_str());
  throw py::error_already_set();
}

inline OptimizerSetup optimizer_setup(const py::object& given) {
  OptimizerSetup setup;
  setup.rule = py::cast<std::string>(given.attr("rule"));
  setup.flags = py::cast<u32>(given.attr("flags"));
  setup.nonfinite = static_cast<OnNonfinite>(py::cast<i64>(given.attr("nonfinite")));
  setup.quantized = py::cast<bool>(given.attr("quantized"));
  setup.clip_norm = py::cast<double>(given.attr("clip_norm"));
  setup.max_norm = py::cast<double>(given.attr("max_norm"));
  i64 begin = 0;
  for (const i64 size : py::cast<std::vector<i64>>(given.attr("sizes"))) {
    setup.segments.push_back({begin, begin + size});
    begin += size;
  }
  const auto table = py::cast<py::array_t<double, py::array::c_style>>(given.attr("parameters"));
  setup.rows = table.shape(1);
  setup.parameters.assign(table.data(), table.data() + table.size());
  return setup;
}

/// Everything that an optimizer knows about states of one format: built once, when such a state is first seen.
struct Plan {
  Plan(const py::object& given, py::object format)
      : format(std::move(format)),
        setup(optimizer_setup(given)),
        single(setup),
        real(setup),
        runs_axis(py::cast<bool>(given.attr("runs_axis"))),
        list(py::cast<bool>(given.attr("list"))),
        noise(py::cast<double>(given.attr("noise"))),
        seed(py::cast<u64>(given.attr("seed"))) {
    const std::size_t row = setup.parameters.size() / setup.segments.size();
    for (std::size_t k = 0; k < setup.segments.size(); ++k) {
      const Segment& segment = setup.segments[k];
      const auto here = setup.parameters.begin() + static_cast<std::ptrdiff_t>(k * row);
      as_before.push_back(
          k > 0 && std::equal(here, here + static_cast<std::ptrdiff_t>(row), here - static_cast<std::ptrdiff_t>(row)));
      x_names.push_back("x[" + std::to_string(k) + "]");
      grad_names.push_back("grad[" + std::to_string(k) + "]");
      first_block.push_back(blocks);
      blocks += (segment.end - segment.begin + kQuantizedBlock - 1) / kQuantizedBlock;
    }
  }
  template <class R>
  const Optimizer<R>& optimizer() const {
    if constexpr (sizeof(R) == 4)
      return single;
    else
      return real;
  }
  bool describes(const py::array& text) const {
    return text.nbytes() == format.nbytes() && !std::memcmp(text.data(), format.data(), text.nbytes());
  }
  i64 dim() const { return setup.segments.back().end; }

  py::array format;
  OptimizerSetup setup;
  Optimizer<float> single;
  Optimizer<double> real;
  bool runs_axis, list;
  double noise;
  u64 seed;
  std::vector<i64> first_block;                  ///< of each segment, where states are bytes
  std::vector<bool> as_before;                   ///< whether a segment has the hyperparameters of the one before it
  std::vector<std::string> x_names, grad_names;  ///< of the arrays of a list, made once
  i64 blocks = 0;
};

}  // namespace optlab
