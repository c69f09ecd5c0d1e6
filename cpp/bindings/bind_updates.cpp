#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "cpu/threads.hpp"
#include "families.hpp"
#include "gate.hpp"
#include "optimizer_setup.hpp"
#include "optlab/loops/update.hpp"

namespace optlab {
namespace {

constexpr i64 kKeepGilBelow = 1 << 14;  // elements; giving it away and back costs as much as updating these

py::handle entry(const py::handle& state, const py::handle& key, const std::string& name) {
  PyObject* value = PyDict_GetItemWithError(state.ptr(), key.ptr());
  if (!value) throw py::value_error("state: got no entry '" + name + "', expected the dict that init() returned");
  return value;
}

/// Everything that an optimizer knows about states of one format: built once, when such a state is first seen.
struct Plan {
  Plan(const py::dict& given, py::object header_array)
      : header(std::move(header_array)),
        setup(optimizer_setup(given)),
        single(setup),
        real(setup),
        runs_axis(py::cast<bool>(given["runs_axis"])),
        list(py::cast<bool>(given["list"])),
        noise(py::cast<double>(given["noise"])),
        seed(py::cast<u64>(given["seed"])) {}
  template <class R>
  const Optimizer<R>& optimizer() const {
    if constexpr (sizeof(R) == 4)
      return single;
    else
      return real;
  }
  bool describes(const py::array& format) const {
    return format.nbytes() == header.nbytes() && !std::memcmp(format.data(), header.data(), format.nbytes());
  }
  i64 dim() const { return setup.segments.back().end; }

  py::array header;
  OptimizerSetup setup;
  Optimizer<float> single;
  Optimizer<double> real;
  bool runs_axis, list;
  double noise;
  u64 seed;
};

/// The arrays of one step behind the gate.
template <class R>
struct Arrays {
  struct Piece {
    R* x;
    const R* g;
    i64 n;
  };
  std::vector<Piece> pieces;
  R* states[kMaxStates];
  i64 runs = 1;
};

void check_same_shape(const py::array& array, const char* name, const py::array& x) {
  if (array.ndim() != x.ndim() || !std::equal(array.shape(), array.shape() + array.ndim(), x.shape()))
    check_shape(array, name, {x.shape(), x.shape() + x.ndim()});
}

/// Refuses memory that overlaps among many arrays.
class Extents {
 public:
  void add(const py::array& array, const std::string& name) {
    const auto* begin = static_cast<const char*>(array.data());
    extents_.push_back({begin, begin + array.nbytes(), name});
  }
  void check() {
    std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t k = 1; k < extents_.size(); ++k)
      if (extents_[k].begin < extents_[k - 1].end)
        throw py::value_error(extents_[k - 1].name + " and " + extents_[k].name +
                              ": got overlapping memory, expected separate arrays");
  }

 private:
  struct Extent {
    const char *begin, *end;
    std::string name;
  };
  std::vector<Extent> extents_;
};

/// One optimizer's steps. Whatever can be looked up once is looked up once.
class Updater {
 public:
  explicit Updater(const std::string& rule) {
    names_ = find_rule<double>(rule).states;
    for (const std::string& name : names_) keys_.push_back(py::str(name));
  }

  /// The optimizer's plan_of() makes the dict of a Plan from the format of a state, or raises what is wrong with it.
  void step(const py::handle& optimizer, const py::handle& x, const py::handle& grad, const py::handle& state,
            const py::handle& lr) {
    if (!PyDict_Check(state.ptr())) throw py::type_error("state: expected the dict that init() returned");
    const Plan& plan = plan_of(optimizer, entry(state, format_key_, "format"));
    std::vector<double> rates;
    if (!lr.is_none()) rates = py::cast<std::vector<double>>(lr);
    const bool many = py::isinstance<py::list>(x) || py::isinstance<py::tuple>(x);
    if (many != plan.list)
      throw py::type_error(many ? "x: got a list, expected one array, as init() was given"
                                : "x: got one array, expected a list of arrays, as init() was given");
    const py::object first = many ? py::object(py::reinterpret_borrow<py::sequence>(x)[0]) : py::reinterpret_borrow<py::object>(x);
    if (float_kind(first, many ? "x[0]" : "x") == 'f')
      run<float>(plan, x, grad, state, rates);
    else
      run<double>(plan, x, grad, state, rates);
  }

 private:
  const Plan& plan_of(const py::handle& optimizer, const py::handle& format) {
    if (!py::isinstance<py::array>(format)) throw py::value_error("state: 'format' is no array of text");
    const auto& text = reinterpret_cast<const py::array&>(format);
    if (last_ && last_->describes(text)) return *last_;
    for (const auto& plan : plans_)
      if (plan->describes(text)) return *(last_ = plan.get());
    py::object copy = text.attr("copy")();
    plans_.push_back(std::make_unique<Plan>(py::cast<py::dict>(optimizer.attr("plan_of")(copy)), copy));
    return *(last_ = plans_.back().get());
  }

  template <class R>
  void run(const Plan& plan, const py::handle& x, const py::handle& grad, const py::handle& state,
           const std::vector<double>& rates) const {
    Arrays<R> arrays;
    if (plan.list)
      gate_list(arrays, plan, x, grad, state);
    else
      gate_array(arrays, plan, x, grad, state);
    auto* count = gated<std::int64_t>(entry(state, step_key_, "step"), "step", {}, Access::write);
    if (*count < 0) throw py::value_error("state: 'step' is negative");
    check_rates(plan, arrays.runs, rates);
    const int threads = threads_now();
    const bool large = plan.dim() * arrays.runs >= kKeepGilBelow;
    if (large) {
      const ReleasedGil free;
      apply(plan, arrays, *count, rates, threads);
    } else {
      apply(plan, arrays, *count, rates, 1);
    }
    ++*count;
  }

  template <class R>
  void gate_array(Arrays<R>& out, const Plan& plan, const py::handle& x, const py::handle& grad,
                  const py::handle& state) const {
    const py::array& point = gate<R>(x, "x", Access::write);
    const py::array& slope = gate<R>(grad, "grad", Access::read);
    out.runs = plan.runs_axis && point.ndim() > 1 ? point.shape(0) : 1;
    if (point.size() != out.runs * plan.dim())
      throw py::value_error("x: got " + std::to_string(point.size()) + " elements, expected " +
                            std::to_string(plan.dim()) + (plan.runs_axis ? " for each run" : "") +
                            ", as init() was given");
    check_same_shape(slope, "grad", point);
    check_apart(point, "x", slope, "grad");
    py::handle given[kMaxStates];
    for (std::size_t k = 0; k < keys_.size(); ++k) {
      const char* name = names_[k].c_str();
      given[k] = entry(state, keys_[k], name);
      const py::array& array = gate<R>(given[k], name, Access::write);
      check_same_shape(array, name, point);
      check_apart(array, name, point, "x");
      check_apart(array, name, slope, "grad");
      for (std::size_t other = 0; other < k; ++other)
        check_apart(array, name, reinterpret_cast<const py::array&>(given[other]), names_[other].c_str());
      out.states[k] = pointer<R>(array);
    }
    out.pieces.push_back({pointer<R>(point), pointer<R>(slope), plan.dim()});
  }

  template <class R>
  void gate_list(Arrays<R>& out, const Plan& plan, const py::handle& x, const py::handle& grad,
                 const py::handle& state) const {
    if (!py::isinstance<py::list>(grad) && !py::isinstance<py::tuple>(grad))
      throw py::type_error("grad: expected a list of arrays, as x is");
    const auto points = py::reinterpret_borrow<py::sequence>(x), slopes = py::reinterpret_borrow<py::sequence>(grad);
    const std::size_t count = plan.setup.segments.size();
    for (const auto& [list, name] : {std::pair{points, "x"}, std::pair{slopes, "grad"}})
      if (list.size() != count)
        throw py::value_error(std::string(name) + ": got " + std::to_string(list.size()) + " arrays, expected " +
                              std::to_string(count) + ", as init() was given");
    Extents extents;
    for (std::size_t k = 0; k < count; ++k) {
      const std::string x_name = "x[" + std::to_string(k) + "]", g_name = "grad[" + std::to_string(k) + "]";
      const py::object one = points[k], its = slopes[k];
      const py::array& point = gate<R>(one, x_name.c_str(), Access::write);
      const py::array& slope = gate<R>(its, g_name.c_str(), Access::read);
      const Segment& segment = plan.setup.segments[k];
      if (point.size() != segment.end - segment.begin)
        throw py::value_error(x_name + ": got " + std::to_string(point.size()) + " elements, expected " +
                              std::to_string(segment.end - segment.begin) + ", as init() was given");
      check_same_shape(slope, g_name.c_str(), point);
      extents.add(point, x_name);
      extents.add(slope, g_name);
      out.pieces.push_back({pointer<R>(point), pointer<R>(slope), segment.end - segment.begin});
    }
    for (std::size_t k = 0; k < keys_.size(); ++k) {
      const char* name = names_[k].c_str();
      const py::handle given = entry(state, keys_[k], name);
      const py::array& array = gate<R>(given, name, Access::write);
      check_shape(array, name, {plan.dim()});
      extents.add(array, name);
      out.states[k] = pointer<R>(array);
    }
    extents.check();
  }

  static void check_rates(const Plan& plan, i64 runs, const std::vector<double>& rates) {
    const auto given = static_cast<i64>(rates.size());
    if (given > 1 && !plan.runs_axis)
      throw py::value_error("lr: got one number per run, expected one number: init() was not told of a runs axis");
    if (given > 1 && given != runs)
      throw py::value_error("lr: got " + std::to_string(given) + " numbers, expected one or " + std::to_string(runs));
    if (plan.setup.rows != 1 && plan.setup.rows != runs)
      throw py::value_error("x: got " + std::to_string(runs) + " runs, expected " + std::to_string(plan.setup.rows) +
                            ", the length of a hyperparameter");
  }

  template <class R>
  void apply(const Plan& plan, const Arrays<R>& arrays, i64 count, const std::vector<double>& rates,
             int threads) const {
    const Optimizer<R>& optimizer = plan.optimizer<R>();
    const Rate rate{1, rates.empty() ? nullptr : &rates};
    Noise<R> noise{static_cast<R>(std::sqrt(plan.noise)), 0, {plan.seed, kNoise, static_cast<u64>(count)}};
    const bool alike = plan.setup.rows == 1 && rates.size() <= 1 && plan.setup.segments.size() == 1;
    const bool one_span = alike && !plan.list && !optimizer.needs_norms() && plan.noise == 0;
    static thread_local std::vector<Span<R>> spans;  // kept, so that a step of a small array asks for no memory
    for (i64 run = 0; run < (one_span ? 1 : arrays.runs); ++run) {
      spans.clear();
      for (std::size_t k = 0; k < plan.setup.segments.size(); ++k) {
        const Segment& segment = plan.setup.segments[k];
        const i64 offset = run * plan.dim() + segment.begin;
        const auto& piece = arrays.pieces[plan.list ? k : 0];
        const i64 n = one_span ? arrays.runs * plan.dim() : segment.end - segment.begin;
        Span<R>& span = spans.emplace_back();
        span.x = piece.x + (plan.list ? 0 : offset);
        span.g = piece.g + (plan.list ? 0 : offset);
        span.first = segment.begin;
        span.n = n;
        for (std::size_t s = 0; s < keys_.size(); ++s) span.states[s] = arrays.states[s] + offset;
        optimizer.constants(span.constants, k, run, 1, count, rate);
      }
      noise.run = static_cast<u32>(run);
      optimizer.update(spans, noise, threads);
      optimizer.project(spans, threads);
    }
  }

  std::vector<std::string> names_;
  std::vector<py::object> keys_;
  std::vector<std::unique_ptr<Plan>> plans_;
  const Plan* last_ = nullptr;
  py::object step_key_ = py::str("step"), format_key_ = py::str("format");
};

}  // namespace

void bind_updates(py::module_& m) {
  m.attr("rules") = rule_names();
  m.attr("around_parameters") = around_parameters();
  m.attr("MAXIMIZE") = static_cast<int>(kMaximize);
  m.attr("WEIGHT_DECAY") = static_cast<int>(kWeightDecay);
  m.attr("GUARD") = static_cast<int>(kGuard);
  m.def("rule_states", [](const std::string& name) { return find_rule<double>(name).states; });
  m.def("rule_parameters", [](const std::string& name) { return find_rule<double>(name).parameters; });
  m.def("rule_is_layerwise", [](const std::string& name) { return find_rule<double>(name).layerwise; });
  py::class_<Updater>(m, "Updater", py::module_local())
      .def(py::init<const std::string&>())
      .def("step", &Updater::step, py::arg("optimizer"), py::arg("x"), py::arg("grad"), py::arg("state"), py::arg("lr"));
}

}  // namespace optlab
