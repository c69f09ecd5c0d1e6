// When threads share a loss.
#pragma once
#include "gate.hpp"
#include "optlab/portable.hpp"

namespace optlab {

/// How many take part: below so many elements, waking one costs more than it saves.
inline int loss_threads(i64 elements) {
  return elements < 1 << 14 ? 1 : threads_now();
}

}  // namespace optlab
