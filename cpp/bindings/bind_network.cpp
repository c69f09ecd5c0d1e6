#include <pybind11/stl.h>

#include "cpu/network.hpp"
#include "families.hpp"
#include "follow_options.hpp"
#include "labels.hpp"
#include "landscape_handle.hpp"

namespace optlab {
namespace {

/// A Python object that a kernel's memory belongs to.
std::shared_ptr<const void> kept(const py::object& object) {
  PyObject* raw = object.inc_ref().ptr();
  return {static_cast<const void*>(raw), [raw](const void*) {
            const py::gil_scoped_acquire gil;
            Py_DECREF(raw);
          }};
}

template <class T>
T field(const py::handle& given, const char* name) {
  return py::cast<T>(given.attr(name));
}

/// Of an optlab.backends.specs.LayerSpec.
Layer layer_of(const py::handle& given) {
  const auto norm = field<std::string>(given, "norm");
  return {field<i64>(given, "inputs"),
          field<i64>(given, "outputs"),
          field<i64>(given, "weight"),
          field<i64>(given, "bias"),
          field<i64>(given, "gamma"),
          field<i64>(given, "beta"),
          norm == "batch"   ? LayerNorm::batch
          : norm == "group" ? LayerNorm::group
                            : LayerNorm::none,
          field<i64>(given, "groups"),
          field<bool>(given, "norm_after"),
          field<i64>(given, "averages"),
          field<i64>(given, "dropped_before"),
          0,
          field<bool>(given, "last")};
}

NormNoise noise_of(const py::object& given) {
  if (given.is_none()) return {};
  const auto [shift, scale, spread] = py::cast<std::tuple<double, double, double>>(given);
  return {shift, scale, spread};
}

LossKind loss_kind(const std::string& name) {
#define OPTLAB_LOSS(kind, Functor) \
  if (name == #kind) return LossKind::kind;
  OPTLAB_LOSSES(OPTLAB_LOSS)
#undef OPTLAB_LOSS
  throw py::value_error("loss: got '" + name + "', expected one of the list of losses");
}

template <class R>
NetworkData<R> data_of(const py::object& x, const py::object& y, i64 in, i64 out) {
  NetworkData<R> data{};
  if (x.is_none()) return data;
  data.x = gated<R>(x, "X", {-1, in}, Access::read);
  data.samples = reinterpret_cast<const py::array&>(x).shape(0);
  if (reinterpret_cast<const py::array&>(y).ndim() == 1) {
    data.labels = reinterpret_cast<const i64*>(gated<std::int64_t>(y, "y", {data.samples}, Access::read));
    check_labels("y", data.labels, data.samples, out);
  } else {
    data.targets = gated<R>(y, "y", {data.samples, out}, Access::read);
  }
  data.owner = kept(py::make_tuple(x, y));
  return data;
}

template <class R>
class NetworkHandle {
 public:
  /// The specs are those of optlab.backends.specs; `frozen` is None, or (seed, step, run) of the draws whoever asks.
  NetworkHandle(const py::object& spec, const py::object& loss, const py::object& x, const py::object& y,
                const py::object& frozen) {
    NetworkSetup<R> s;
    s.dim = field<i64>(spec, "dim");
    i64 noise = 0;
    for (const py::handle layer : spec.attr("layers")) {
      s.layers.push_back(layer_of(layer));
      s.layers.back().noise_before = noise;
      noise += noise_row(s.layers.back().out);
      widths_.push_back(s.layers.back().out);
    }
    in_ = s.layers.front().in, out_ = s.layers.back().out, layers_ = static_cast<i64>(s.layers.size());
    const Activation<R>& activation = named_activation<R>(spec.attr("activation"));
    s.options = {&activation,
                 activation_parameter<R>(activation, spec.attr("parameter")),
                 field<double>(spec, "dropout"),
                 field<double>(spec, "eps"),
                 number<R>(spec.attr("momentum")),
                 noise_of(spec.attr("norm_noise"))};
    const auto name = field<std::string>(loss, "loss");
    s.loss = {name == "cross_entropy",
              name == "cross_entropy" ? LossKind::mse : loss_kind(name),
              field<double>(loss, name == "huber" ? "delta" : "label_smoothing"),
              field<double>(loss, "label_smoothing"),
              field<double>(loss, "weight_decay"),
              field<double>(loss, "l1"),
              field<double>(loss, "jacobian")};
    s.data = data_of<R>(x, y, in_, out_);
    if (!frozen.is_none()) {
      const auto [seed, step, run] = py::cast<std::tuple<u64, u64, u32>>(frozen);
      s.frozen = std::make_unique<DrawAddress>(DrawAddress{seed, kDropout, step});
      s.frozen_run = run;
    }
    network_ = make_network(std::move(s));
  }

  LandscapeHandle<R> landscape() const { return {network_}; }

  void outputs(const py::object& out, const py::object& theta, const py::object& x, const py::object& mean,
               const py::object& var) const {
    const R* inputs = gated<R>(x, "X", {-1, in_}, Access::read);
    const i64 rows = reinterpret_cast<const py::array&>(x).shape(0);
    const R* point = gated<R>(theta, "theta", {network_->dim}, Access::read);
    R* to = gated<R>(out, "out", {rows, out_}, Access::write);
    const i64 columns = network_->averages() / 2;
    const R* means = mean.is_none() ? nullptr : gated<R>(mean, "mean", {columns}, Access::read);
    const R* vars = mean.is_none() ? nullptr : gated<R>(var, "var", {columns}, Access::read);
    const int threads = threads_now();
    const ReleasedGil free;
    network_->outputs(to, point, inputs, rows, means, vars, threads);
  }

  void statistics(const py::object& mean, const py::object& var, const py::object& theta, const py::object& x) const {
    const R* inputs = gated<R>(x, "X", {-1, in_}, Access::read);
    const i64 rows = reinterpret_cast<const py::array&>(x).shape(0), columns = network_->averages() / 2;
    const R* point = gated<R>(theta, "theta", {network_->dim}, Access::read);
    R* means = gated<R>(mean, "mean", {columns}, Access::write);
    R* vars = gated<R>(var, "var", {columns}, Access::write);
    const int threads = threads_now();
    const ReleasedGil free;
    network_->statistics(means, vars, point, inputs, rows, threads);
  }

  void layer_outputs(const py::object& out, const py::object& theta, std::size_t layer) const {
    const R* point = gated<R>(theta, "theta", {network_->dim}, Access::read);
    R* to = gated<R>(out, "out", {network_->samples(), widths_.at(layer)}, Access::write);
    Batch batch;
    batch.threads = threads_now();
    const ReleasedGil free;
    network_->layer_outputs(to, point, layer, batch);
  }

  void norms(const py::object& values, const py::object& slopes, const py::object& theta) const {
    const R* point = gated<R>(theta, "theta", {network_->dim}, Access::read);
    R* of_values = gated<R>(values, "values", {layers_}, Access::write);
    R* of_slopes = gated<R>(slopes, "slopes", {layers_}, Access::write);
    Batch batch;
    batch.threads = threads_now();
    const ReleasedGil free;
    network_->norms(of_values, of_slopes, point, batch);
  }

 private:
  i64 in_, out_, layers_;
  std::vector<i64> widths_;  // outputs of every layer
  std::shared_ptr<const Network<R>> network_;
};

template <class R>
void bind_network_of(py::module_& m, const char* name) {
  using N = NetworkHandle<R>;
  py::class_<N>(m, name, py::module_local())
      .def(py::init<const py::object&, const py::object&, const py::object&, const py::object&, const py::object&>())
      .def("landscape", &N::landscape)
      .def("outputs", &N::outputs)
      .def("statistics", &N::statistics)
      .def("layer_outputs", &N::layer_outputs)
      .def("norms", &N::norms);
}

}  // namespace

void bind_network(py::module_& m) {
  bind_network_of<float>(m, "Network32");
  bind_network_of<double>(m, "Network64");
}

}  // namespace optlab
