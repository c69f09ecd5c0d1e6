// Labels that name classes.
#pragma once
#include <string>

#include "gate.hpp"

namespace optlab {

inline void check_labels(const char* name, const i64* labels, i64 rows, i64 classes) {
  bool wrong = false;
  for (i64 k = 0; k < rows; ++k) wrong |= static_cast<u64>(labels[k]) >= static_cast<u64>(classes);
  for (i64 k = 0; wrong && k < rows; ++k)
    if (labels[k] < 0 || labels[k] >= classes)
      throw py::value_error(std::string(name) + ": got " + std::to_string(labels[k]) + " in row " + std::to_string(k) +
                            ", expected a class from 0 to " + std::to_string(classes - 1));
}

}  // namespace optlab
