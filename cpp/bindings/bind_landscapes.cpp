#include <pybind11/stl.h>

#include "cpu/evaluate.hpp"
#include "families.hpp"
#include "gate.hpp"
#include "landscape_handle.hpp"

namespace optlab {
namespace {

template <class R>
Arrays<R> number_lists(const py::sequence& given) {
  Arrays<R> out;
  for (const py::handle& array : given) out.push_back(numbers<R>(array, "coefficients", {-1}));
  return out;
}

template <class R>
void evaluate_rows(const Landscape<R>& f, const py::handle& x, const py::handle& value, const py::handle& grad,
                   const py::handle& hvp, const py::handle& v, const py::handle& batch) {
  const py::array& point = gate<R>(x, "x", Access::read);
  const Rows rows = rows_of(point, "x");
  if (rows.dim != f.dim)
    throw py::value_error("x: got " + std::to_string(rows.dim) + " coordinates, expected " + std::to_string(f.dim));
  const std::vector<py::ssize_t> shape(point.shape(), point.shape() + point.ndim());
  EvaluateArrays<R> a{};
  a.x = pointer<R>(point);
  if (!value.is_none()) a.value = gated<R>(value, "value", {rows.runs}, Access::write);
  if (!grad.is_none()) {
    a.grad = gated<R>(grad, "out", shape, Access::write);
    check_apart(reinterpret_cast<const py::array&>(grad), "out", point, "x");
  }
  if (!hvp.is_none()) {
    a.v = gated<R>(v, "v", shape, Access::read);
    a.hvp = gated<R>(hvp, "out", shape, Access::write);
    check_apart(reinterpret_cast<const py::array&>(hvp), "out", point, "x");
    check_apart(reinterpret_cast<const py::array&>(hvp), "out", reinterpret_cast<const py::array&>(v), "v");
  }
  Batch samples;
  if (!batch.is_none()) {
    if (!f.samples()) throw py::value_error("batch: got indices, but this landscape is not a finite sum");
    const py::array& index = gate<std::int64_t>(batch, "batch", Access::read);
    samples = {reinterpret_cast<const i64*>(pointer<std::int64_t>(index)), index.size()};
    for (i64 k = 0; k < samples.size; ++k)
      if (samples.index[k] < 0 || samples.index[k] >= f.samples())
        throw py::index_error("batch: got sample " + std::to_string(samples.index[k]) + ", expected 0 to " +
                              std::to_string(f.samples() - 1));
  }
  const i64 terms = std::max<i64>(1, samples.index ? samples.size : f.samples());
  const int threads = point.size() * terms < 1 << 13 ? 1 : threads_now();
  const ReleasedGil free;
  evaluate(f, a, rows.runs, samples, threads);
}

template <class R>
void bind_landscape(py::module_& m, const char* name) {
  py::class_<LandscapeHandle<R>>(m, name, py::module_local())
      .def_static(
          "listed",
          [](const std::string& kind, i64 dim, const py::sequence& coefficients, const py::object& rotation) {
            std::vector<R> q;
            if (!rotation.is_none()) q = numbers<R>(rotation, "rotation", {dim, dim});
            return LandscapeHandle<R>{make_landscape<R>(kind, dim, number_lists<R>(coefficients), std::move(q))};
          },
          py::arg("kind"), py::arg("dim"), py::arg("coefficients"), py::arg("rotation"))
      .def_static(
          "least_squares",
          [](const py::handle& a, const py::handle& b) {
            std::vector<R> matrix = numbers<R>(a, "A", {-1, -1});
            const auto& shaped = reinterpret_cast<const py::array&>(a);
            const i64 rows = shaped.shape(0), dim = shaped.shape(1);
            return LandscapeHandle<R>{make_least_squares<R>(rows, dim, std::move(matrix), numbers<R>(b, "b", {rows}))};
          })
      .def_property_readonly("room", [](const LandscapeHandle<R>& h) { return h.landscape->room(); })
      .def(
          "evaluate",
          [](const LandscapeHandle<R>& h, const py::handle& x, const py::handle& value, const py::handle& grad,
             const py::handle& hvp, const py::handle& v,
             const py::handle& batch) { evaluate_rows<R>(*h.landscape, x, value, grad, hvp, v, batch); },
          py::arg("x"), py::arg("value") = py::none(), py::arg("grad") = py::none(), py::arg("hvp") = py::none(),
          py::arg("v") = py::none(), py::arg("batch") = py::none());
}

}  // namespace

void bind_landscapes(py::module_& m) {
  bind_landscape<float>(m, "Landscape32");
  bind_landscape<double>(m, "Landscape64");
}

}  // namespace optlab
