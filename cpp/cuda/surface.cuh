// A landscape of the list as one thread sees it: value, gradient and Hessian-vector product of a point of its own,
// whose dimension is known at compile time, so that a small one stands in registers. The operations and their order are
// those of the CPU, where lanes are runs.
#pragma once
#include "cuda/grid.cuh"
#include "cuda/names.cuh"
#include "optlab/dual.hpp"

namespace optlab {

/// visit(i) for i = 0 .. dim - 1, unrolled where arrays of R are to be registers: they cannot be indexed at run time.
template <class R, int dim, class Visit>
OPTLAB_HD void each(const Visit& visit) {
  constexpr int unrolled = dim * sizeof(R) <= 128 ? dim : 1;
#pragma unroll unrolled
  for (int i = 0; i < dim; ++i) visit(i);
}

/// A row of memory that the thread has for itself, by 16 bytes at a time where rows begin on multiples of these.
template <class R, int dim>
OPTLAB_HD void load_row(R* to, const R* from) {
  constexpr int lanes = Vector<R>::lanes;
  if (dim % lanes == 0 && aligned(from))
    each<Vector<R>, dim / lanes>([&](int v) {
      const Vector<R> some = reinterpret_cast<const Vector<R>*>(from)[v];
      for (int l = 0; l < lanes; ++l) to[v * lanes + l] = some.at[l];
    });
  else
    each<R, dim>([&](int i) { to[i] = from[i]; });
}
template <class R, int dim>
OPTLAB_HD void store_row(R* to, const R* from) {
  constexpr int lanes = Vector<R>::lanes;
  if (dim % lanes == 0 && aligned(to))
    each<Vector<R>, dim / lanes>([&](int v) {
      Vector<R> some;
      for (int l = 0; l < lanes; ++l) some.at[l] = from[v * lanes + l];
      reinterpret_cast<Vector<R>*>(to)[v] = some;
    });
  else
    each<R, dim>([&](int i) { to[i] = from[i]; });
}

enum class Family { separable, coupled, matrix };
template <class F>
struct FamilyOf;
#define OPTLAB_FAMILY(F, its)                     \
  template <>                                     \
  struct FamilyOf<F> {                            \
    static constexpr Family family = Family::its; \
  };
#define OPTLAB_SEPARABLE(name, F) OPTLAB_FAMILY(F, separable)
#define OPTLAB_COUPLED(name, F) OPTLAB_FAMILY(F, coupled)
#define OPTLAB_MATRIX(name, F) OPTLAB_FAMILY(F, matrix)
OPTLAB_SEPARABLE_LANDSCAPES(OPTLAB_SEPARABLE)
OPTLAB_COUPLED_LANDSCAPES(OPTLAB_COUPLED)
OPTLAB_MATRIX_LANDSCAPES(OPTLAB_MATRIX)
#undef OPTLAB_SEPARABLE
#undef OPTLAB_COUPLED
#undef OPTLAB_MATRIX
#undef OPTLAB_FAMILY

/// `coefficients` and `rotation` (Q of f(Q^T x), by rows) stand in global memory: all threads read the same ones.
/// `room` is how many numbers a matrix landscape works on beside the point.
template <class F, class Real, int dimension, int room, bool rotated, Family = FamilyOf<F>::family>
struct Surface;

template <class F, class R, int dimension, int room, bool rotated>
struct Surface<F, R, dimension, room, rotated, Family::separable> {
  using Real = R;
  static constexpr int dim = dimension;
  const R *coefficients, *rotation;

  OPTLAB_HD R value(const R* x) const {
    R room_for_x[turned_dim];
    const R* u = turned(room_for_x, x);
    Sum<R> sum;
    each<R, dim>([&](int i) { sum.add(F::template value<R>(u[i], Coefficients(*this, i).c)); });
    return sum.result();
  }
  OPTLAB_HD void grad(R* g, const R* x) const {
    R room_for_x[turned_dim], slopes[turned_dim];
    const R* u = turned(room_for_x, x);
    R* into = rotated ? slopes : g;
    each<R, dim>([&](int i) { into[i] = F::template grad<R>(u[i], Coefficients(*this, i).c); });
    turn_back(g, into);
  }
  OPTLAB_HD void hvp(R* h, const R* x, const R* v) const {
    R room_for_x[turned_dim], room_for_v[turned_dim], bends[turned_dim];
    const R *u = turned(room_for_x, x), *w = turned(room_for_v, v);
    R* into = rotated ? bends : h;
    each<R, dim>([&](int i) { into[i] = F::template grad<Dual<R>>(Dual<R>{u[i], w[i]}, Coefficients(*this, i).c).d; });
    turn_back(h, into);
  }

 private:
  static constexpr int turned_dim = rotated ? dim : 1;
  struct Coefficients {
    R c[F::coefficients];
    OPTLAB_HD Coefficients(const Surface& of, int i) {
#pragma unroll
      for (int k = 0; k < F::coefficients; ++k) c[k] = of.coefficients[k * dim + i];
    }
  };
  /// Q^T x, each entry summed in the order of the rows of Q; x itself without a rotation.
  OPTLAB_HD const R* turned(R* out, const R* x) const {
    if constexpr (!rotated) return x;
    multiply(out, rotation, 1, dim, x);
    return out;
  }
  OPTLAB_HD void turn_back(R* out, const R* x) const {
    if constexpr (rotated) multiply(out, rotation, dim, 1, x);
  }
  /// Entry i is the sum over j, in order, of q[i * row + j * column] x_j.
  static OPTLAB_HD void multiply(R* out, const R* q, i64 row, i64 column, const R* x) {
#pragma unroll 1  // dim^2 products, laid out one by one, would keep the compiler busy for half a minute
    for (int i = 0; i < dim; ++i) out[i] = product(q + i * row, column, x);
  }
  static OPTLAB_HD R product(const R* q, i64 stride, const R* x) {
    R sum{};
    each<R, dim>([&](int j) { sum = sum + x[j] * q[j * stride]; });
    return sum;
  }
};

template <class F, class R, int dimension, int room, bool rotated>
struct Surface<F, R, dimension, room, rotated, Family::coupled> {
  using Real = R;
  static constexpr int dim = dimension;
  const R *coefficients, *rotation;

  OPTLAB_HD R value(const R* x) const { return F::template value<R>(x, dim, coefficients); }
  OPTLAB_HD void grad(R* g, const R* x) const { F::template grad<R>(g, x, dim, coefficients); }
  OPTLAB_HD void hvp(R* h, const R* x, const R* v) const {
    Dual<R> in[dim], out[dim];
    each<R, dim>([&](int i) { in[i] = {x[i], v[i]}; });
    F::template grad<Dual<R>>(out, in, dim, coefficients);
    each<R, dim>([&](int i) { h[i] = out[i].d; });
  }
};

template <class F, class R, int dimension, int room, bool rotated>
struct Surface<F, R, dimension, room, rotated, Family::matrix> {
  using Real = R;
  static constexpr int dim = dimension;
  const R *coefficients, *rotation;

  OPTLAB_HD R value(const R* x) const {
    R work[room + 1];  // + 1: without any there is no empty array
    return F::template value<R>(x, dim, coefficients, work);
  }
  OPTLAB_HD void grad(R* g, const R* x) const {
    R work[room + 1];
    F::template grad<R>(g, x, dim, coefficients, work);
  }
  OPTLAB_HD void hvp(R* h, const R* x, const R* v) const {
    Dual<R> in[dim], out[dim], work[room + 1];
    each<R, dim>([&](int i) { in[i] = {x[i], v[i]}; });
    F::template grad<Dual<R>>(out, in, dim, coefficients, work);
    each<R, dim>([&](int i) { h[i] = out[i].d; });
  }
};

}  // namespace optlab
