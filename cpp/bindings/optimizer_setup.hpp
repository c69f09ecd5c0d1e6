// An optimizer's hyperparameters as Python hands them over: the dict that optlab.optim.plan builds.
#pragma once
#include <pybind11/stl.h>

#include "cpu/optimizer.hpp"
#include "gate.hpp"

namespace optlab {

inline OptimizerSetup optimizer_setup(const py::dict& given) {
  OptimizerSetup setup;
  setup.rule = py::cast<std::string>(given["rule"]);
  setup.flags = py::cast<u32>(given["flags"]);
  setup.clip_norm = py::cast<double>(given["clip_norm"]);
  setup.max_norm = py::cast<double>(given["max_norm"]);
  i64 begin = 0;
  for (const i64 size : py::cast<std::vector<i64>>(given["sizes"])) {
    setup.segments.push_back({begin, begin + size});
    begin += size;
  }
  const auto table = py::cast<py::array_t<double, py::array::c_style>>(given["parameters"]);
  setup.rows = table.shape(1);
  setup.parameters.assign(table.data(), table.data() + table.size());
  return setup;
}

}  // namespace optlab
