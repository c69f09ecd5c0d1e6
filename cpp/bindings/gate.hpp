// The one array gate: every array that enters a kernel passes here before its memory is touched. What is refused is
// told in one line: the argument, what was given, what is accepted. Nothing is ever converted or copied.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "cpu/environment.hpp"

namespace optlab {
namespace py = pybind11;

enum class Access { read, write };

/// "(3, 4)"; a negative extent stands for any.
std::string shape_text(const std::vector<py::ssize_t>& shape);

/// Checks that `given` is a NumPy array of exactly this dtype number with aligned elements, in any order and size.
const py::array& check_elements(const py::handle& given, const char* name, int dtype_number, const char* dtype_name);
/// Checks that `given` is a NumPy array of exactly this dtype number, in C order, aligned, non-empty and, for write,
/// writeable.
const py::array& check_array(const py::handle& given, const char* name, int dtype_number, const char* dtype_name,
                             Access access);
/// The shape as well; negative extents accept anything.
void check_shape(const py::array& array, const char* name, const std::vector<py::ssize_t>& shape);

/// Refuses two arrays that share memory.
void check_apart(const py::array& a, const char* a_name, const py::array& b, const char* b_name);

/// 'f' or 'd', from an array that must be float32 or float64.
char float_kind(const py::handle& given, const char* name);

template <class T>
const char* dtype_name();
template <>
inline const char* dtype_name<float>() {
  return "float32";
}
template <>
inline const char* dtype_name<double>() {
  return "float64";
}
template <>
inline const char* dtype_name<std::int64_t>() {
  return "int64";
}

template <>
inline const char* dtype_name<unsigned char>() {
  return "uint8";
}

template <class T>
const py::array& gate(const py::handle& given, const char* name, Access access) {
  return check_array(given, name, py::detail::npy_format_descriptor<T>::value, dtype_name<T>(), access);
}

template <class T>
T* pointer(const py::array& array) {
  return static_cast<T*>(const_cast<void*>(array.data()));
}

/// A gated array of a given shape as a pointer.
template <class T>
T* gated(const py::handle& given, const char* name, const std::vector<py::ssize_t>& shape, Access access) {
  const py::array& array = gate<T>(given, name, access);
  check_shape(array, name, shape);
  return pointer<T>(array);
}

/// A gated float64 array of a given shape as a vector of R: the numbers of a landscape or a study, which Python keeps
/// in double. They are rounded here because a caller's flushing of subnormals would reach a conversion in Python.
template <class R>
std::vector<R> numbers(const py::handle& given, const char* name, const std::vector<py::ssize_t>& shape) {
  const double* from = gated<double>(given, name, shape, Access::read);
  const FloatEnvironment environment;
  return std::vector<R>(from, from + reinterpret_cast<const py::array&>(given).size());
}

/// One number likewise.
template <class R>
R number(const py::handle& given) {
  const volatile double value = py::cast<double>(given);  // volatile: to be loaded inside the environment
  const FloatEnvironment environment;
  const volatile R rounded = static_cast<R>(value);
  return rounded;
}

/// (dim,) or (runs, dim).
struct Rows {
  py::ssize_t runs, dim;
};
Rows rows_of(const py::array& array, const char* name);

/// Lets other Python threads run. Unlike pybind11's, it may be left by the forced unwinding with which the interpreter
/// ends a daemon thread that comes back too late.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ~ReleasedGil() noexcept(false) { PyEval_RestoreThread(state_); }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

/// The number of threads that `with optlab.threads(n)` asks for here, by way of the function set from Python.
int threads_now();

}  // namespace optlab
