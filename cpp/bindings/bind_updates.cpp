#include <pybind11/stl.h>

#include <algorithm>

#include "cpu/rule.hpp"
#include "cpu/threads.hpp"
#include "families.hpp"
#include "gate.hpp"
#include "optlab/loops/update.hpp"

namespace optlab {
namespace {

constexpr i64 kParallelFrom = 1 << 17;  // elements; below, waking a thread costs more than it saves
constexpr i64 kChunk = 1 << 12;         // elements of one part, so that parts begin on whole packs

py::handle entry(const py::handle& state, const py::object& key, const char* name) {
  PyObject* value = PyDict_GetItemWithError(state.ptr(), key.ptr());
  if (!value)
    throw py::value_error(std::string("state: got no entry '") + name + "', expected the dict that init() returned");
  return value;
}

/// One optimizer's step. Whatever can be looked up once is looked up at construction.
class Updater {
 public:
  /// `parameters` holds one number per hyperparameter, or one per run.
  Updater(const std::string& rule, std::vector<std::vector<double>> parameters, u32 flags)
      : single_(find_rule<float>(rule)),
        double_(find_rule<double>(rule)),
        parameters_(std::move(parameters)),
        flags_(flags) {
    if (parameters_.size() != single_.parameters.size())
      throw py::value_error(rule + ": got " + std::to_string(parameters_.size()) + " hyperparameters, expected " +
                            std::to_string(single_.parameters.size()));
    for (const std::string& name : single_.states) keys_.push_back(py::str(name));
  }

  void step(const py::handle& x, const py::handle& grad, const py::handle& state, const py::handle& lr) const {
    if (!PyDict_Check(state.ptr())) throw py::type_error("state: expected the dict that init() returned");
    if (float_kind(x, "x") == 'f')
      run<float>(single_, x, grad, state, lr);
    else
      run<double>(double_, x, grad, state, lr);
  }

 private:
  template <class R>
  void run(const Rule<R>& rule, const py::handle& x, const py::handle& grad, const py::handle& state,
           const py::handle& lr) const {
    const py::array& point = gate<R>(x, "x", Access::write);
    const Rows rows = rows_of(point, "x");
    const py::array& slope = gate<R>(grad, "grad", Access::read);
    check_same_shape(slope, "grad", point);
    check_apart(point, "x", slope, "grad");
    R* states[kMaxStates];
    gate_states<R>(rule, state, point, slope, states);
    auto* count = gated<std::int64_t>(entry(state, step_key_, "step"), "step", {}, Access::write);
    std::vector<double> given;
    if (!lr.is_none()) given = py::cast<std::vector<double>>(lr);
    apply<R>(rule, pointer<R>(point), pointer<R>(slope), states, rows, *count, lr.is_none() ? parameters_[0] : given);
    ++*count;
  }

  template <class R>
  void gate_states(const Rule<R>& rule, const py::handle& state, const py::array& x, const py::array& grad,
                   R** out) const {
    for (std::size_t k = 0; k < keys_.size(); ++k) {
      const char* name = rule.states[k].c_str();
      const py::handle given = entry(state, keys_[k], name);
      const py::array& array = gate<R>(given, name, Access::write);
      check_same_shape(array, name, x);
      check_apart(array, name, x, "x");
      check_apart(array, name, grad, "grad");
      out[k] = pointer<R>(array);
    }
  }

  template <class R>
  void apply(const Rule<R>& rule, R* x, const R* g, R* const* states, Rows rows, i64 count,
             const std::vector<double>& lr) const {
    bool shared = lr.size() == 1;
    for (const auto& parameter : parameters_) shared &= parameter.size() == 1;
    if (shared) return apply_part(rule, x, g, states, rows.runs * rows.dim, 0, count, lr);
    check_runs(rows, lr);
    for (i64 run = 0; run < rows.runs; ++run) {
      R* row_states[kMaxStates];
      for (std::size_t k = 0; k < keys_.size(); ++k) row_states[k] = states[k] + run * rows.dim;
      apply_part(rule, x + run * rows.dim, g + run * rows.dim, row_states, rows.dim, run, count, lr);
    }
  }

  void check_runs(Rows rows, const std::vector<double>& lr) const {
    const auto check = [rows](const std::vector<double>& parameter) {
      const auto given = static_cast<py::ssize_t>(parameter.size());
      if (given != 1 && given != rows.runs)
        throw py::value_error("x: got " + std::to_string(rows.runs) + " runs, expected " + std::to_string(given) +
                              ", the length of a hyperparameter");
    };
    check(lr);
    for (const auto& parameter : parameters_) check(parameter);
  }

  template <class R>
  void apply_part(const Rule<R>& rule, R* x, const R* g, R* const* states, i64 n, i64 run, i64 count,
                  const std::vector<double>& lr) const {
    double p[kMaxConstants], c[kMaxConstants];
    const auto of_run = [run](const std::vector<double>& v) {
      return v[v.size() == 1 ? 0 : static_cast<std::size_t>(run)];
    };
    for (std::size_t k = 0; k < parameters_.size(); ++k) p[k] = of_run(k ? parameters_[k] : lr);
    rule.prepare(p, count, c);
    if (n < kParallelFrom) return rule.update_all(x, g, states, n, c, flags_);
    const int threads = threads_now();
    const ReleasedGil free;
    parallel((n + kChunk - 1) / kChunk, threads, [&](i64 begin, i64 end) {
      R* part[kMaxStates];
      const i64 from = begin * kChunk, to = std::min(n, end * kChunk);
      for (std::size_t k = 0; k < keys_.size(); ++k) part[k] = states[k] + from;
      rule.update_all(x + from, g + from, part, to - from, c, flags_);
    });
  }

  static void check_same_shape(const py::array& array, const char* name, const py::array& x) {
    if (array.ndim() != x.ndim() || !std::equal(array.shape(), array.shape() + array.ndim(), x.shape()))
      check_shape(array, name, {x.shape(), x.shape() + x.ndim()});
  }

  const Rule<float>& single_;
  const Rule<double>& double_;
  std::vector<std::vector<double>> parameters_;
  u32 flags_;
  std::vector<py::object> keys_;
  py::object step_key_ = py::str("step");
};

}  // namespace

void bind_updates(py::module_& m) {
  m.attr("rules") = rule_names();
  m.attr("MAXIMIZE") = static_cast<int>(kMaximize);
  m.attr("WEIGHT_DECAY") = static_cast<int>(kWeightDecay);
  m.def("rule_states", [](const std::string& name) { return find_rule<double>(name).states; });
  m.def("rule_parameters", [](const std::string& name) { return find_rule<double>(name).parameters; });
  py::class_<Updater>(m, "Updater", py::module_local())
      .def(py::init<const std::string&, std::vector<std::vector<double>>, u32>())
      .def("step", &Updater::step, py::arg("x"), py::arg("grad"), py::arg("state"), py::arg("lr"));
}

}  // namespace optlab
