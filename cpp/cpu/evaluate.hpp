// Value, gradient and Hessian-vector product of many points, rows of runs.
#pragma once
#include "landscape.hpp"

namespace optlab {

/// Rows of (runs, dim), outputs first; an output that is null is not computed, and v belongs to hvp.
template <class R>
struct EvaluateArrays {
  R *value, *grad, *hvp;
  const R *x, *v;
};

template <class R>
void evaluate(const Landscape<R>& f, EvaluateArrays<R> arrays, i64 runs, Batch batch, int threads);

}  // namespace optlab
