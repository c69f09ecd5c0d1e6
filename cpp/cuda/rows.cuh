// Teams of threads that each take one row of a matrix: a warp, or a block where rows are long. Sums over a row are
// taken by each thread with the rounding error carried along, then by the team in a fixed order; all its threads know
// them.
#pragma once
#include "cuda/lanes.cuh"

namespace optlab {

inline constexpr int kWarp = 32;

template <int team>
struct Team {
  static_assert(team == kWarp || team == kThreads, "a warp or a block");
  static constexpr int threads = team, rows = kThreads / team;  ///< rows: of a block

  static OPTLAB_HD int rank() { return static_cast<int>(threadIdx.x) % team; }
  static OPTLAB_HD i64 row() { return static_cast<i64>(blockIdx.x) * rows + threadIdx.x / team; }

  /// What join(a, b) makes of every thread's value; join is commutative.
  template <class R, class Join>
  static __device__ R all(R value, Join join) {
#pragma unroll
    for (int half = kWarp / 2; half > 0; half /= 2) value = join(value, __shfl_xor_sync(kWholeWarp, value, half));
    if constexpr (team > kWarp) {
      __shared__ R room[team / kWarp];
      if (threadIdx.x % kWarp == 0) room[threadIdx.x / kWarp] = value;
      __syncthreads();
      value = room[0];
#pragma unroll
      for (int w = 1; w < team / kWarp; ++w) value = join(value, room[w]);
      __syncthreads();
    }
    return value;
  }
  template <class R>
  static __device__ R sum(const CarriedTotal<R>& own) {
    return all(own.result(), [](R a, R b) { return a + b; });
  }

  /// Calls visit(i, access) for the vectors of a row of n.
  template <class R, class Visit>
  static OPTLAB_HD void each(i64 n, bool vectors, Visit visit) {
    constexpr int lanes = Vector<R>::lanes;
    for (i64 i = rank() * lanes; i < n; i += team * lanes)
      visit(i, Access{vectors, n - i < lanes ? static_cast<int>(n - i) : lanes});
  }
};

/// Carried totals of a number, or of a dual number's value and rate.
template <class T>
struct RowTotal {
  CarriedTotal<T> plain;
  OPTLAB_HD void add(T term) { plain.add(term); }
  template <class Team>
  __device__ T sum() const {
    return Team::sum(plain);
  }
};
template <class R>
struct RowTotal<Dual<R>> {
  CarriedTotal<R> value, rate;
  OPTLAB_HD void add(Dual<R> term) {
    value.add(term.v);
    rate.add(term.d);
  }
  template <class Team>
  __device__ Dual<R> sum() const {
    return {Team::sum(value), Team::sum(rate)};
  }
};

}  // namespace optlab
