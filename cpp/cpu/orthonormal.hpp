// Orthonormal rows by the method of Gram and Schmidt.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

/// Makes the rows of q (rows <= columns, C order) orthonormal, each in the span of those above it and itself. Gaussian
/// rows become Haar-distributed ones. Ours, because LAPACK's bits depend on the processor and on the number of threads.
void orthonormalize_rows(double* q, i64 rows, i64 columns, int threads);

}  // namespace optlab
