// The options of one call of optlab.ops that are numbers: checked here, so that Python need not. What is refused is
// told as optlab/checks.py tells it.
#pragma once
#include <cmath>
#include <string>

#include "gate.hpp"

namespace optlab {

inline std::string repr_of(const py::handle& given) {
  return py::cast<std::string>(py::repr(given));
}

/// Python's error of this kind is over; any other one, such as an interrupt, goes on.
inline void only(PyObject* kind) {
  if (!PyErr_ExceptionMatches(kind)) throw py::error_already_set();
  PyErr_Clear();
}

/// A real number, finite or not: what has a __float__ or an __index__, but neither a bool nor a complex number.
inline double real_option(const py::handle& given, const char* name) {
  const PyNumberMethods* methods = Py_TYPE(given.ptr())->tp_as_number;
  const std::string type = Py_TYPE(given.ptr())->tp_name;
  const bool fits = methods && (methods->nb_float || methods->nb_index) && !PyComplex_Check(given.ptr()) &&
                    type.find("bool") == std::string::npos && type.find("complex") == std::string::npos;
  const double value = fits ? PyFloat_AsDouble(given.ptr()) : 0.0;
  const bool failed = fits && value == -1.0 && PyErr_Occurred();
  if (failed) only(PyErr_ExceptionMatches(PyExc_OverflowError) ? PyExc_OverflowError : PyExc_TypeError);
  if (!fits || failed) throw py::type_error(std::string(name) + ": got " + repr_of(given) + ", expected a number");
  return value;
}

/// A finite number from low to high, or above low where `open`.
inline double number_option(const py::handle& given, const char* name, double low, double high, bool open,
                            const char* expected) {
  const double value = real_option(given, name);
  if (std::isfinite(value) && (open ? value > low : value >= low) && value <= high) return value;
  throw py::value_error(std::string(name) + ": got " + repr_of(given) + ", expected a " + expected);
}

inline double eps_option(const py::handle& given) {
  return number_option(given, "eps", 0, HUGE_VAL, false, "finite number >= 0");
}

/// A whole number from low to high.
inline u64 whole_option(const py::handle& given, const char* name, u64 low, u64 high) {
  const bool fits = !PyBool_Check(given.ptr()) && PyIndex_Check(given.ptr());
  if (!fits) throw py::type_error(std::string(name) + ": got " + repr_of(given) + ", expected a whole number");
  const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(given.ptr()));
  if (!index) {
    only(PyExc_TypeError);
    throw py::type_error(std::string(name) + ": got " + repr_of(given) + ", expected a whole number");
  }
  const u64 value = PyLong_AsUnsignedLongLong(index.ptr());
  const bool outside = PyErr_Occurred() != nullptr;  // negative, or above 2^64 - 1
  if (outside) only(PyExc_OverflowError);
  if (outside || value < low || value > high)
    throw py::value_error(std::string(name) + ": got " + repr_of(given) + ", expected a whole number from " +
                          std::to_string(low) + " to " + std::to_string(high));
  return value;
}

}  // namespace optlab
