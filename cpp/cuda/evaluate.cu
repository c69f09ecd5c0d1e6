// Landscapes at many points, one thread a point: values, gradients, Hessian-vector products.
#include "cuda/least_squares.cuh"

namespace optlab {

enum Wanted : u32 { kValue = 1, kGradient = 2, kProduct = 4 };

/// Rows of points; what is not wanted may be null. Of a finite sum, its terms, and their numbers in a batch.
template <class Surface, u32 wanted>
__global__ void evaluate(typename Surface::Real* value, typename Surface::Real* grad, typename Surface::Real* hvp,
                         const typename Surface::Real* points, const typename Surface::Real* directions,
                         const typename Surface::Real* coefficients, const typename Surface::Real* rotation, i64 terms,
                         const i64* index, i64 runs) {
  using R = typename Surface::Real;
  constexpr int dim = Surface::dim;
  const i64 run = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (run >= runs) return;
  const Surface surface = surface_of<Surface>(coefficients, rotation, terms, index);
  R x[dim], out[dim];
  load_row<R, dim>(x, points + run * dim);
  if (wanted & kValue) value[run] = surface.value(x);
  if (wanted & kGradient) {
    surface.grad(out, x);
    store_row<R, dim>(grad + run * dim, out);
  }
  if (wanted & kProduct) {
    R v[dim];
    load_row<R, dim>(v, directions + run * dim);
    surface.hvp(out, x, v);
    store_row<R, dim>(hvp + run * dim, out);
  }
}

}  // namespace optlab
