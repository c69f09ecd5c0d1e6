#include <pybind11/stl.h>

#include "cpu/study.hpp"
#include "families.hpp"
#include "gate.hpp"
#include "landscape_handle.hpp"
#include "plan.hpp"

namespace optlab {
namespace {

/// In the order of StopKind.
const std::vector<std::string> kStopKinds{"grad_norm", "value", "distance", "box", "nonfinite"};

/// Of an optlab.stop.StopRule that was made for this dimension.
template <class R>
StopRule<R> stop_rule(const py::handle& given, i64 dim) {
  StopRule<R> rule;
  const auto kind = std::find(kStopKinds.begin(), kStopKinds.end(), py::cast<std::string>(given.attr("kind")));
  rule.kind = static_cast<StopKind>(kind - kStopKinds.begin());
  rule.threshold = number<R>(given.attr("threshold"));
  rule.below = py::cast<bool>(given.attr("below"));
  if (given.attr("low").is_none()) return rule;
  rule.low = numbers<R>(given.attr("low"), "stop", {dim});
  rule.high = numbers<R>(given.attr("high"), "stop", {dim});
  return rule;
}

template <class R>
Perturbation<R> perturbation(const py::object& given) {
  Perturbation<R> p;
  if (given.is_none()) return p;
  p.on = true;
  p.radius = number<R>(given.attr("radius"));
  p.grad_norm = number<R>(given.attr("grad_norm"));
  p.wait = py::cast<i64>(given.attr("wait"));
  p.must_decrease = !given.attr("decrease").is_none();
  if (p.must_decrease) p.decrease = number<R>(given.attr("decrease"));
  return p;
}

/// A study with the Python objects whose memory it works on.
template <class R>
class StudyHandle {
 public:
  /// optimizer and setup are a StepPlan and a StudySetup of optlab.backends.base.
  StudyHandle(const py::object& landscape, const py::object& optimizer, const py::object& setup, const py::dict& arrays)
      : keep_(arrays), landscape_(landscape.is_none() ? nullptr : py::cast<LandscapeHandle<R>>(landscape).landscape) {
    StudySetup<R> s = checked(setup);
    s.landscape = landscape_.get();
    s.optimizer = optimizer_setup(optimizer);
    if (s.batch_size && (!s.landscape || !s.landscape->samples()))
      throw py::value_error("batch_size: expected 0 where the landscape is not a finite sum");
    const auto records = static_cast<py::ssize_t>(s.record_steps.size());
    const std::vector<std::string>& states = find_rule<R>(s.optimizer.rule).states;
    study_ = std::make_unique<Study<R>>(std::move(s), study_arrays(arrays, records, states));
  }

  void advance(i64 steps, const py::handle& factors) {
    const double* f = gated<double>(factors, "factors", {steps}, Access::read);
    const int threads = threads_now();
    naming_nonfinite([&] {
      const ReleasedGil free;
      study_->advance(steps, f, threads);
    });
  }
  void settle() {
    const int threads = threads_now();
    const ReleasedGil free;
    study_->settle(threads);
  }
  bool begin(const py::handle& value, const py::handle& grad) {
    return study_->begin(gated<R>(value, "value", {runs_}, Access::read),
                         gated<R>(grad, "grad", {runs_, dim_}, Access::read));
  }
  void end(const py::handle& grad, double factor) {
    const R* g = gated<R>(grad, "grad", {runs_, dim_}, Access::read);
    naming_nonfinite([&] { study_->end(g, factor); });
  }
  void flush() { study_->flush(); }
  bool any_active() const { return study_->any_active(); }
  i64 step() const { return study_->step(); }

 private:
  StudySetup<R> checked(const py::object& setup) {
    StudySetup<R> s;
    const auto integer = [&](const char* name) { return py::cast<i64>(setup.attr(name)); };
    s.runs = runs_ = integer("runs");
    s.dim = dim_ = integer("dim");
    s.first_step = integer("first_step");
    s.last_step = integer("last_step");
    s.first_run = integer("first_run");
    s.rule_step = integer("rule_step");
    s.looks = py::cast<bool>(setup.attr("looks"));
    s.batch_size = integer("batch_size");
    s.sampling = sampling_named(py::cast<std::string>(setup.attr("sampling")));
    s.seed = py::cast<u64>(setup.attr("seed"));
    s.noise = number<R>(setup.attr("noise"));
    if (!setup.attr("gradient_noise").is_none())
      s.gradient_noise = numbers<R>(setup.attr("gradient_noise"), "gradient_noise", {dim_});
    s.held = py::cast<std::vector<i64>>(setup.attr("held"));
    s.record_steps = py::cast<std::vector<i64>>(setup.attr("record_steps"));
    for (const py::handle rule : setup.attr("stops")) s.stops.push_back(stop_rule<R>(rule, dim_));
    s.perturbation = perturbation<R>(setup.attr("perturbation"));
    return s;
  }

  template <class Work>
  static void naming_nonfinite(const Work& work) try {
    work();
  } catch (const NonfiniteGradient& found) {
    refuse_gradient("the gradient of run " + std::to_string(found.run), found.number, std::to_string(found.coordinate),
                    found.step);
  }

  StudyArrays<R> study_arrays(const py::dict& a, py::ssize_t records, const std::vector<std::string>& names) {
    const std::vector<py::ssize_t> point{runs_, dim_}, run{runs_};
    const auto floats = [&](const char* name, const std::vector<py::ssize_t>& shape) -> R* {
      return a.contains(name) ? gated<R>(a[name], name, shape, Access::write) : nullptr;
    };
    const auto integers = [&](const char* name) {
      return a.contains(name) ? reinterpret_cast<i64*>(gated<std::int64_t>(a[name], name, run, Access::write))
                              : nullptr;
    };
    StudyArrays<R> out{};
    out.last = floats("last", point);
    for (const std::string& name : names) out.states.push_back(floats(name.c_str(), point));
    out.stop_step = integers("stop_step");
    out.stop_reason = integers("stop_reason");
    out.skipped = integers("skipped");
    out.record_x = floats("x", {records, runs_, dim_});
    out.record_value = floats("value", {records, runs_});
    out.record_norm = floats("grad_norm", {records, runs_});
    if (landscape_ && landscape_->averages()) out.averages = floats("averages", {runs_, landscape_->averages()});
    out.perturbed_x = floats("perturbed_x", point);
    out.perturbed_value = floats("perturbed_value", run);
    out.perturbed_norm = floats("perturbed_norm", run);
    out.perturbed_step = integers("perturbed_step");
    return out;
  }

  py::dict keep_;
  std::shared_ptr<const Landscape<R>> landscape_;
  i64 runs_, dim_;
  std::unique_ptr<Study<R>> study_;
};

template <class R>
void bind(py::module_& m, const char* name) {
  using S = StudyHandle<R>;
  py::class_<S>(m, name, py::module_local())
      .def(py::init<const py::object&, const py::object&, const py::object&, const py::dict&>())
      .def("advance", &S::advance)
      .def("settle", &S::settle)
      .def("begin", &S::begin)
      .def("end", &S::end)
      .def("flush", &S::flush)
      .def_property_readonly("any_active", &S::any_active)
      .def_property_readonly("step", &S::step);
}

/// The sample numbers of consecutive steps of one run: a row of `out` for each. It comes from our own Python.
void batch_indices(py::array_t<std::int64_t, py::array::c_style> out, const std::string& sampling, i64 samples,
                   u64 seed, i64 first_step, u32 run) {
  Batches batches(sampling_named(sampling), out.shape(1));
  auto* to = reinterpret_cast<i64*>(out.mutable_data());
  for (py::ssize_t k = 0; k < out.shape(0); ++k) batches.at(to + k * out.shape(1), first_step + k, run, samples, seed);
}

}  // namespace

void bind_study(py::module_& m) {
  m.attr("stop_kinds") = kStopKinds;
  m.def("batch_indices", &batch_indices, py::arg("out").noconvert(), py::arg("sampling"), py::arg("samples"),
        py::arg("seed"), py::arg("first_step"), py::arg("run"));
  bind<float>(m, "Study32");
  bind<double>(m, "Study64");
}

}  // namespace optlab
