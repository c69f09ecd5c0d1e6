#include "cpu/peak.hpp"
#include "families.hpp"
#include "gate.hpp"

namespace optlab {
namespace {

// The function that tells how many threads to use; leaked on purpose, since the interpreter may end before this module.
py::object* thread_source = nullptr;

void check_point(const py::handle& given, const std::string& name, bool write) {
  const Access access = write ? Access::write : Access::read;
  const bool single = float_kind(given, name.c_str()) == 'f';
  rows_of(single ? gate<float>(given, name.c_str(), access) : gate<double>(given, name.c_str(), access), name.c_str());
}

void check_floats(const py::handle& given, const std::string& name) {
  if (float_kind(given, name.c_str()) == 'f')
    gate<float>(given, name.c_str(), Access::read);
  else
    gate<double>(given, name.c_str(), Access::read);
}

/// Numbers as a kernel of float sees them.
py::array_t<float> as_float32(const py::handle& given) {
  const std::vector<float> rounded = numbers<float>(given, "numbers", {-1});
  return py::array_t<float>(static_cast<py::ssize_t>(rounded.size()), rounded.data());
}

}  // namespace

int threads_now() {
  return thread_source ? py::cast<int>((*thread_source)()) : 1;
}

void bind_gate(py::module_& m) {
  m.def("set_thread_source", [](py::object source) {
    delete thread_source;
    thread_source = new py::object(std::move(source));
  });
  m.def("threads", &threads_now, "The number of threads a kernel called here would use.");
  m.def("update_bandwidth", &update_bandwidth, py::arg("read_only"), py::arg("read_write"), py::arg("elements"),
        py::arg("threads"), py::arg("repeats"), py::call_guard<ReleasedGil>());
  m.def("stream_bandwidth", &stream_bandwidth, py::arg("read"), py::arg("elements"), py::arg("threads"),
        py::arg("repeats"), py::call_guard<ReleasedGil>());
  m.def("peak_operations", &peak_operations, py::arg("threads"), py::call_guard<ReleasedGil>());
  m.def("multiply_in_registers", &multiply_in_registers<float>, py::arg("operations"), py::arg("threads"),
        py::call_guard<ReleasedGil>());
  m.def("as_float32", &as_float32, py::arg("numbers"), "A float64 vector, rounded as the kernels round theirs.");
  m.def("check_array", &check_floats, py::arg("array"), py::arg("name"),
        "Refuses whatever is not a float32 or float64 array that a kernel can take.");
  m.def("check_point", &check_point, py::arg("array"), py::arg("name"), py::arg("write") = false,
        "Refuses whatever is not a float32 or float64 array of shape (dim,) or (runs, dim) that a kernel can take.");
}

}  // namespace optlab
