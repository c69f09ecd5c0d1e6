// The arrays of one optimizer step, behind the gate.
#pragma once
#include <algorithm>

#include "plan.hpp"

namespace optlab {

inline py::handle entry(const py::handle& state, const py::handle& key, const std::string& name) {
  PyObject* value = PyDict_GetItemWithError(state.ptr(), key.ptr());
  if (!value) throw py::value_error("state: got no entry '" + name + "', expected the dict that init() returned");
  return value;
}

inline void check_same_shape(const py::array& array, const char* name, const py::array& x) {
  if (array.ndim() != x.ndim() || !std::equal(array.shape(), array.shape() + array.ndim(), x.shape()))
    check_shape(array, name, {x.shape(), x.shape() + x.ndim()});
}

inline bool is_list(const py::handle& given) {
  return py::isinstance<py::list>(given) || py::isinstance<py::tuple>(given);
}

/// Refuses memory that overlaps among many arrays, named in the order in which they were added.
class Extents {
 public:
  Extents() { extents_.reserve(8); }
  /// The name is not copied.
  void add(const py::array& array, const char* name) {
    const auto* begin = static_cast<const char*>(array.data());
    extents_.push_back({begin, begin + array.nbytes(), extents_.size(), name});
  }
  void check() {
    std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t k = 1; k < extents_.size(); ++k)
      if (extents_[k].begin < extents_[k - 1].end) refuse(extents_[k - 1], extents_[k]);
  }

 private:
  struct Extent {
    const char *begin, *end;
    std::size_t order;
    const char* name;
  };
  [[noreturn]] static void refuse(const Extent& a, const Extent& b) {
    const bool in_order = a.order < b.order;
    throw py::value_error(std::string((in_order ? a : b).name) + " and " + (in_order ? b : a).name +
                          ": got overlapping memory, expected separate arrays");
  }
  std::vector<Extent> extents_;
};

/// The state arrays that a rule wants, by name.
struct StateKeys {
  explicit StateKeys(const std::string& rule) : names(find_rule<double>(rule).states) {
    for (const std::string& name : names) {
      scale_names.push_back(name + "_scale");
      keys.push_back(py::str(name));
      scale_keys.push_back(py::str(scale_names.back()));
    }
  }
  std::size_t size() const { return names.size(); }
  std::vector<std::string> names, scale_names;
  std::vector<py::object> keys, scale_keys;
};

/// Pointers to what one step works on.
template <class R>
struct StepArrays {
  struct Piece {
    R* x;
    const R* g;
  };
  std::vector<Piece> pieces;  ///< one, or one for each array of a list
  R* states[kMaxStates] = {};
  QuantizedStates quantized;
  i64* skipped = nullptr;  ///< of every run, where steps may be skipped
  i64 runs = 1;

  /// `shape` is that which state arrays must have; `extents` holds the memory that they must not touch.
  void gate_states(const Plan& plan, const StateKeys& wanted, const py::handle& state,
                   const std::vector<py::ssize_t>& shape, Extents& extents) {
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      const char* name = wanted.names[k].c_str();
      const py::handle given = entry(state, wanted.keys[k], name);
      if (plan.setup.quantized) {
        const py::array& codes = gate<unsigned char>(given, name, Access::write);
        check_shape(codes, name, shape);
        extents.add(codes, name);
        quantized.codes[k] = pointer<unsigned char>(codes);
        const char* scale_name = wanted.scale_names[k].c_str();
        const py::handle its_scales = entry(state, wanted.scale_keys[k], scale_name);
        const py::array& scales = gate<float>(its_scales, scale_name, Access::write);
        std::vector<py::ssize_t> blocks{plan.blocks};
        if (plan.runs_axis && shape.size() > 1) blocks.insert(blocks.begin(), shape[0]);
        check_shape(scales, scale_name, blocks);
        extents.add(scales, scale_name);
        quantized.scales[k] = pointer<float>(scales);
        continue;
      }
      const py::array& array = gate<R>(given, name, Access::write);
      check_shape(array, name, shape);
      extents.add(array, name);
      states[k] = pointer<R>(array);
    }
  }
};

/// One array and its gradient.
template <class R>
StepArrays<R> gate_array(const Plan& plan, const StateKeys& wanted, const py::handle& x, const py::handle& grad,
                         const py::handle& state) {
  StepArrays<R> out;
  const py::array& point = gate<R>(x, "x", Access::write);
  const py::array& slope = gate<R>(grad, "grad", Access::read);
  out.runs = plan.runs_axis && point.ndim() > 1 ? point.shape(0) : 1;
  if (point.size() != out.runs * plan.dim())
    throw py::value_error("x: got " + std::to_string(point.size()) + " elements, expected " +
                          std::to_string(plan.dim()) + (plan.runs_axis ? " for each run" : "") +
                          ", as init() was given");
  check_same_shape(slope, "grad", point);
  Extents extents;
  extents.add(point, "x");
  extents.add(slope, "grad");
  out.gate_states(plan, wanted, state, {point.shape(), point.shape() + point.ndim()}, extents);
  extents.check();
  out.pieces.push_back({pointer<R>(point), pointer<R>(slope)});
  return out;
}

/// A list of arrays and a list of gradients; the state arrays are flat.
template <class R>
StepArrays<R> gate_list(const Plan& plan, const StateKeys& wanted, const py::handle& x, const py::handle& grad,
                        const py::handle& state) {
  StepArrays<R> out;
  if (!is_list(grad)) throw py::type_error("grad: expected a list of arrays, as x is");
  const auto points = py::reinterpret_borrow<py::sequence>(x), slopes = py::reinterpret_borrow<py::sequence>(grad);
  const std::size_t count = plan.setup.segments.size();
  for (const auto& [list, name] : {std::pair{points, "x"}, std::pair{slopes, "grad"}})
    if (list.size() != count)
      throw py::value_error(std::string(name) + ": got " + std::to_string(list.size()) + " arrays, expected " +
                            std::to_string(count) + ", as init() was given");
  Extents extents;
  for (std::size_t k = 0; k < count; ++k) {
    const char *x_name = plan.x_names[k].c_str(), *g_name = plan.grad_names[k].c_str();
    const py::object one = points[k], its = slopes[k];
    const py::array& point = gate<R>(one, x_name, Access::write);
    const py::array& slope = gate<R>(its, g_name, Access::read);
    const i64 size = plan.setup.segments[k].end - plan.setup.segments[k].begin;
    if (point.size() != size)
      throw py::value_error(std::string(x_name) + ": got " + std::to_string(point.size()) + " elements, expected " +
                            std::to_string(size) + ", as init() was given");
    check_same_shape(slope, g_name, point);
    extents.add(point, x_name);
    extents.add(slope, g_name);
    out.pieces.push_back({pointer<R>(point), pointer<R>(slope)});
  }
  out.gate_states(plan, wanted, state, {plan.dim()}, extents);
  extents.check();
  return out;
}

}  // namespace optlab
