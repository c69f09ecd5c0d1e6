// Random orthogonal matrices.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

/// Fills the dim x dim matrix q with a Haar-distributed orthogonal one: Gaussian rows (stream kInit of the seed),
/// orthogonalized in order. Ours, because LAPACK's bits depend on the processor and on the number of threads.
void random_rotation(double* q, i64 dim, u64 seed);

}  // namespace optlab
