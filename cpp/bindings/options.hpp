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

/// A real number, finite or not; bools and what float() would have to parse are refused.
inline double real_option(const py::handle& given, const char* name) {
  const bool fits = !PyBool_Check(given.ptr()) && (PyFloat_Check(given.ptr()) || PyNumber_Check(given.ptr()));
  const double value = fits ? PyFloat_AsDouble(given.ptr()) : 0.0;
  if (!fits || (value == -1.0 && PyErr_Occurred())) {
    PyErr_Clear();
    throw py::type_error(std::string(name) + ": got " + repr_of(given) + ", expected a number");
  }
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
  if (!index) throw py::error_already_set();
  const u64 value = PyLong_AsUnsignedLongLong(index.ptr());
  const bool outside = PyErr_Occurred() != nullptr;  // negative, or above 2^64 - 1
  PyErr_Clear();
  if (outside || value < low || value > high)
    throw py::value_error(std::string(name) + ": got " + repr_of(given) + ", expected a whole number from " +
                          std::to_string(low) + " to " + std::to_string(high));
  return value;
}

}  // namespace optlab
