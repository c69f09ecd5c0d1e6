#include <pybind11/stl.h>

#include <cmath>
#include <memory>
#include <optional>

#include "cpu/finite.hpp"
#include "cpu/threads.hpp"
#include "families.hpp"
#include "optlab/loops/update.hpp"
#include "step_gate.hpp"

namespace optlab {
namespace {

constexpr i64 kKeepGilBelow = 1 << 14;  // elements; giving it away and back costs as much as updating these
using Rates = std::vector<double>;      // a learning rate in the place of the optimizer's, or one per run; or none

/// Runs work with the GIL released where that pays.
template <class Work>
void released(i64 elements, Work work) {
  if (elements < kKeepGilBelow) return work(1);
  const int threads = threads_now();
  const ReleasedGil free;
  work(threads);
}

void check_rates(const Plan& plan, i64 runs, const Rates& rates) {
  const auto given = static_cast<i64>(rates.size());
  if (given > 1 && !plan.runs_axis)
    throw py::value_error("lr: got one number per run, expected one number: init() was not told of a runs axis");
  if (given > 1 && given != runs)
    throw py::value_error("lr: got " + std::to_string(given) + " numbers, expected one or " + std::to_string(runs));
  if (plan.setup.rows != 1 && plan.setup.rows != runs)
    throw py::value_error("x: got " + std::to_string(runs) + " runs, expected " + std::to_string(plan.setup.rows) +
                          ", the length of a hyperparameter");
}

std::string index_of(i64 element, const py::array& array) {
  std::string text;
  for (py::ssize_t axis = array.ndim(); axis-- > 0; element /= array.shape(axis))
    text = std::to_string(element % array.shape(axis)) + (text.empty() ? "" : ", ") + text;
  return array.ndim() == 1 ? text : "(" + text + ")";
}

/// Raises where a gradient is not finite and the optimizer is to say so: nothing has been touched.
template <class R>
void check_gradient(const Plan& plan, const py::handle& grad, i64 step) {
  if (plan.setup.nonfinite != OnNonfinite::raise) return;
  const auto check = [&](const py::handle& given, const std::string& name) {
    const auto& array = reinterpret_cast<const py::array&>(given);
    const R* g = pointer<R>(array);
    const i64 at = first_nonfinite(g, array.size());
    if (at < array.size()) refuse_gradient(name, static_cast<double>(g[at]), index_of(at, array), step);
  };
  if (!plan.list) return check(grad, "grad");
  const auto list = py::reinterpret_borrow<py::sequence>(grad);
  for (std::size_t k = 0; k < list.size(); ++k) check(py::object(list[k]), plan.grad_names[k]);
}

/// Whether a run's step is skipped, which it then counts.
template <class R>
bool skips(const Plan& plan, const StepArrays<R>& arrays, i64 run) {
  if (!arrays.skipped) return false;
  const auto finite = [&](const auto& piece, i64 n) { return all_finite(piece.g + run * plan.dim(), n); };
  bool all = true;
  for (std::size_t k = 0; all && k < arrays.pieces.size(); ++k) {
    const Segment& segment = plan.setup.segments[k];
    all = finite(arrays.pieces[k], plan.list ? segment.end - segment.begin : plan.dim());
  }
  if (!all) ++arrays.skipped[run];
  return !all;
}

/// The spans of one run, with their constants.
template <class R>
void make_spans(std::vector<Span<R>>& spans, const Plan& plan, const StepArrays<R>& arrays, i64 run, i64 count,
                const Rates& rates) {
  const Rate rate{1, rates.empty() ? nullptr : &rates};
  spans.clear();
  for (std::size_t k = 0; k < plan.setup.segments.size(); ++k) {
    const Segment& segment = plan.setup.segments[k];
    const i64 offset = run * plan.dim() + segment.begin, block = run * plan.blocks + plan.first_block[k];
    const auto& piece = arrays.pieces[plan.list ? k : 0];
    Span<R>& span = spans.emplace_back();
    span.x = piece.x + (plan.list ? 0 : offset);
    span.g = piece.g + (plan.list ? 0 : offset);
    span.first = segment.begin;
    span.n = segment.end - segment.begin;
    for (int s = 0; s < kMaxStates; ++s) span.states[s] = arrays.states[s] ? arrays.states[s] + offset : nullptr;
    if (plan.setup.quantized)
      for (int s = 0; s < 2; ++s) {
        span.quantized.codes[s] = arrays.quantized.codes[s] + offset;
        span.quantized.scales[s] = arrays.quantized.scales[s] + block;
      }
    if (plan.as_before[k])
      std::copy_n(spans[k - 1].constants, plan.optimizer<R>().rule().constants, span.constants);
    else
      plan.optimizer<R>().constants(span.constants, k, run, 1, count, rate);
  }
}

template <class R>
void apply(const Plan& plan, const StepArrays<R>& arrays, i64 count, const Rates& rates, int threads) {
  const Optimizer<R>& optimizer = plan.optimizer<R>();
  const Noise<R> noise{static_cast<R>(std::sqrt(plan.noise)), plan.seed};
  // Runs that have nothing of their own are one long vector.
  const bool alike = plan.setup.rows == 1 && rates.size() <= 1 && plan.setup.segments.size() == 1 &&
                     !optimizer.needs_norms() && plan.noise == 0 && !plan.setup.quantized && !arrays.skipped;
  static thread_local std::vector<Span<R>> spans;  // kept, so that a step of a small array asks for no memory
  for (i64 run = 0; run < (alike ? 1 : arrays.runs); ++run) {
    if (skips(plan, arrays, run)) continue;
    make_spans(spans, plan, arrays, run, count - (arrays.skipped ? arrays.skipped[run] : 0), rates);
    if (alike) spans[0].n *= arrays.runs;
    optimizer.update(spans, {static_cast<u64>(count), static_cast<u32>(run)}, noise, threads);
    optimizer.project(spans, threads);
  }
}

/// One optimizer's steps. Whatever can be looked up once is looked up once.
class Updater {
 public:
  explicit Updater(const std::string& rule) : wanted_(rule) {}

  /// The optimizer's _plan_of() makes a StepPlan from the format of a state, or raises what is wrong with it.
  void step(const py::handle& optimizer, const py::handle& x, const py::handle& grad, const py::handle& state,
            const py::handle& lr) {
    const Plan& plan = plan_of(optimizer, state);
    const bool many = is_list(x);
    if (many != plan.list)
      throw py::type_error(many ? "x: got a list, expected one array, as init() was given"
                                : "x: got one array, expected a list of arrays, as init() was given");
    if (!many) return dispatch(plan, x, grad, state, lr, x, "x");
    const auto list = py::reinterpret_borrow<py::sequence>(x);
    if (list.size() == 0) throw py::value_error("x: got an empty list");
    dispatch(plan, x, grad, state, lr, py::object(list[0]), "x[0]");
  }

  /// The rows named only: grad holds one row for each.
  void step_rows(const py::handle& optimizer, const py::handle& x, const py::handle& rows, const py::handle& grad,
                 const py::handle& state, const py::handle& lr) {
    const Plan& plan = plan_of(optimizer, state);
    if (plan.list || plan.runs_axis || plan.setup.segments.size() != 1)
      throw py::value_error("rows: expected a state of one array, without a layout and without a runs axis");
    if (float_kind(x, "x") == 'f')
      run_rows<float>(plan, x, rows, grad, state, rates_of(lr));
    else
      run_rows<double>(plan, x, rows, grad, state, rates_of(lr));
  }

 private:
  static Rates rates_of(const py::handle& lr) { return lr.is_none() ? Rates{} : py::cast<Rates>(lr); }

  const Plan& plan_of(const py::handle& optimizer, const py::handle& state) {
    if (!PyDict_Check(state.ptr())) throw py::type_error("state: expected the dict that init() returned");
    const py::handle format = entry(state, format_key_, "format");
    if (!py::isinstance<py::array>(format)) throw py::value_error("state: 'format' is no array of text");
    const auto& text = reinterpret_cast<const py::array&>(format);
    if (last_ && last_->describes(text)) return *last_;
    for (const auto& plan : plans_)
      if (plan->describes(text)) return *(last_ = plan.get());
    py::object copy = text.attr("copy")();
    plans_.push_back(std::make_unique<Plan>(optimizer.attr("_plan_of")(copy), copy));
    return *(last_ = plans_.back().get());
  }

  void dispatch(const Plan& plan, const py::handle& x, const py::handle& grad, const py::handle& state,
                const py::handle& lr, const py::handle& first, const char* name) {
    if (float_kind(first, name) == 'f')
      run<float>(plan, x, grad, state, rates_of(lr));
    else if (plan.setup.quantized)
      throw py::type_error(std::string(name) + ": got dtype float64, expected float32, since the state is in bytes");
    else
      run<double>(plan, x, grad, state, rates_of(lr));
  }

  std::int64_t& count_of(const py::handle& state) const {
    auto& count = *gated<std::int64_t>(entry(state, step_key_, "step"), "step", {}, Access::write);
    if (count < 0) throw py::value_error("state: 'step' is " + std::to_string(count) + ", expected >= 0");
    return count;
  }

  static const py::array& array_of(const py::handle& given) { return reinterpret_cast<const py::array&>(given); }

  /// The counts of skipped steps, () or (runs,); null where none are skipped.
  i64* skipped_of(const Plan& plan, const py::handle& state, bool by_run, i64 runs, i64 count) const {
    if (plan.setup.nonfinite != OnNonfinite::skip) return nullptr;
    const std::vector<py::ssize_t> shape(by_run ? 1 : 0, runs);
    const py::handle given = entry(state, skipped_key_, "skipped");
    auto* skipped = reinterpret_cast<i64*>(gated<std::int64_t>(given, "skipped", shape, Access::write));
    for (i64 run = 0; run < runs; ++run)
      if (skipped[run] < 0 || skipped[run] > count)
        throw py::value_error("state: 'skipped' holds " + std::to_string(skipped[run]) +
                              ", expected 0 to 'step', which is " + std::to_string(count));
    return skipped;
  }

  template <class R>
  void run(const Plan& plan, const py::handle& x, const py::handle& grad, const py::handle& state,
           const Rates& rates) const {
    StepArrays<R> arrays =
        plan.list ? gate_list<R>(plan, wanted_, x, grad, state) : gate_array<R>(plan, wanted_, x, grad, state);
    std::int64_t& count = count_of(state);
    check_rates(plan, arrays.runs, rates);
    arrays.skipped =
        skipped_of(plan, state, plan.runs_axis && !is_list(x) && array_of(x).ndim() > 1, arrays.runs, count);
    check_gradient<R>(plan, grad, count);
    released(plan.dim() * arrays.runs, [&](int threads) { apply(plan, arrays, count, rates, threads); });
    ++count;
  }

  template <class R>
  void run_rows(const Plan& plan, const py::handle& x, const py::handle& rows, const py::handle& grad,
                const py::handle& state, const Rates& rates) const {
    const py::array& point = gate<R>(x, "x", Access::write);
    if (point.ndim() == 0) throw py::value_error("x: got an array of shape (), expected one that has rows");
    const py::array& named = gate<std::int64_t>(rows, "rows", Access::read);
    check_shape(named, "rows", {-1});
    const py::array& slope = gate<R>(grad, "grad", Access::read);
    std::vector<py::ssize_t> shape(point.shape(), point.shape() + point.ndim());
    Extents extents;
    StepArrays<R> arrays;
    arrays.gate_states(plan, wanted_, state, shape, extents);
    shape[0] = named.size();
    check_shape(slope, "grad", shape);
    for (const auto& [array, name] : {std::pair{&point, "x"}, std::pair{&slope, "grad"}, std::pair{&named, "rows"}})
      extents.add(*array, name);
    extents.check();
    if (point.size() != plan.dim()) throw py::value_error("x: got another size than init() was given");
    const auto* index = pointer<std::int64_t>(named);
    check_rows(index, named.size(), point.shape(0));
    check_rates(plan, 1, rates);
    std::int64_t& count = count_of(state);
    arrays.pieces.push_back({pointer<R>(point), pointer<R>(slope)});
    arrays.skipped = skipped_of(plan, state, false, 1, count);
    check_gradient<R>(plan, grad, count);
    if (arrays.skipped && !all_finite(pointer<R>(slope), slope.size())) {
      ++*arrays.skipped;
      ++count;
      return;
    }
    std::vector<Span<R>> spans;
    make_spans(spans, plan, arrays, 0, count - (arrays.skipped ? *arrays.skipped : 0), rates);
    spans[0].n = plan.dim() / point.shape(0);  // one row
    released(slope.size(), [&](int threads) {
      plan.optimizer<R>().update_rows(spans[0], reinterpret_cast<const i64*>(index), named.size(), threads);
    });
    ++count;
  }

  static void check_rows(const std::int64_t* rows, py::ssize_t count, py::ssize_t limit) {
    std::vector<bool> seen(static_cast<std::size_t>(limit));
    for (py::ssize_t k = 0; k < count; ++k) {
      if (rows[k] < 0 || rows[k] >= limit)
        throw py::value_error("rows: got " + std::to_string(rows[k]) + ", expected rows from 0 to " +
                              std::to_string(limit - 1));
      if (seen[static_cast<std::size_t>(rows[k])])
        throw py::value_error("rows: got " + std::to_string(rows[k]) +
                              " twice, expected each row once (add its gradients)");
      seen[static_cast<std::size_t>(rows[k])] = true;
    }
  }

  StateKeys wanted_;
  std::vector<std::unique_ptr<Plan>> plans_;
  const Plan* last_ = nullptr;
  py::object step_key_ = py::str("step"), format_key_ = py::str("format"), skipped_key_ = py::str("skipped");
};

/// The constants of steps first_step, first_step + 1, ... with learning rates times `factors`, or given: as many as
/// rows, or one. out: (steps, rows, segments, kMaxConstants). The arrays come from our own Python, not from a user.
template <class R>
void step_constants(const py::object& plan, i64 first_step, const std::vector<double>& factors,
                    const std::optional<Rates>& rates, py::array_t<R, py::array::c_style> out) {
  const OptimizerSetup setup = optimizer_setup(plan);
  const Optimizer<R> optimizer(setup);
  const auto rows = static_cast<i64>(out.shape(1));
  R* to = out.mutable_data();
  for (std::size_t k = 0; k < factors.size(); ++k)
    for (i64 row = 0; row < rows; ++row)
      for (std::size_t segment = 0; segment < setup.segments.size(); ++segment, to += kMaxConstants) {
        Pack<R> packs[kMaxConstants];
        const Rate rate{factors[k], rates ? &*rates : nullptr};
        optimizer.constants(packs, segment, row, 1, first_step + static_cast<i64>(k), rate);
        for (int c = 0; c < optimizer.rule().constants; ++c) to[c] = packs[c][0];
      }
}

using Floats = py::array_t<float, py::array::c_style>;
using Codes = py::array_t<unsigned char, py::array::c_style>;

/// One run's bytes and scales to numbers, and back. The arrays come from our own Python, not from a user.
void decode_states(std::pair<Floats, Floats> out, std::pair<Codes, Codes> codes, std::pair<Floats, Floats> scales,
                   bool back) {
  QuantizedStates states{{codes.first.mutable_data(), codes.second.mutable_data()},
                         {scales.first.mutable_data(), scales.second.mutable_data()}};
  float* values[2] = {out.first.mutable_data(), out.second.mutable_data()};
  if (back)
    encode_exactly(states, values, out.first.size());
  else
    decode(values, states, out.first.size());
}

}  // namespace

void bind_updates(py::module_& m) {
  m.attr("rules") = rule_names();
  m.attr("around_parameters") = around_parameters();
  m.attr("MAXIMIZE") = static_cast<int>(kMaximize);
  m.attr("WEIGHT_DECAY") = static_cast<int>(kWeightDecay);
  m.attr("GUARD") = static_cast<int>(kGuard);
  m.attr("RARE") = static_cast<int>(kRare);
  m.attr("QUANTIZED_BLOCK") = kQuantizedBlock;
  m.def("rule_states", [](const std::string& name) { return find_rule<double>(name).states; });
  m.def("rule_layerwise", [](const std::string& name) { return find_rule<double>(name).layerwise; });
  m.def("rule_divides", [](const std::string& name) { return find_rule<double>(name).divides; });
  m.def("rule_parameters", [](const std::string& name) { return find_rule<double>(name).parameters; });
  m.def("step_constants", &step_constants<float>, py::arg("plan"), py::arg("first_step"), py::arg("factors"),
        py::arg("rates"), py::arg("out").noconvert());
  m.def("step_constants", &step_constants<double>, py::arg("plan"), py::arg("first_step"), py::arg("factors"),
        py::arg("rates"), py::arg("out").noconvert());
  m.def("decode_states", &decode_states, py::arg("values"), py::arg("codes"), py::arg("scales"), py::arg("back"));
  py::class_<Updater>(m, "Updater", py::module_local())
      .def(py::init<const std::string&>())
      .def("step", &Updater::step, py::arg("optimizer"), py::arg("x"), py::arg("grad"), py::arg("state"), py::arg("lr"))
      .def("step_rows", &Updater::step_rows, py::arg("optimizer"), py::arg("x"), py::arg("rows"), py::arg("grad"),
           py::arg("state"), py::arg("lr"));
}

}  // namespace optlab
