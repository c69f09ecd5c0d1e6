// What the kernels share: vectors of 16 bytes, the constants of a step, and sums over a warp or block in a fixed order.
#pragma once
#include "optlab/norms.hpp"
#include "optlab/random.hpp"

namespace optlab {

inline constexpr int kThreads = 256;   ///< of a block, unless a kernel says otherwise
inline constexpr int kConstants = 17;  ///< room for the constants of one segment, as cpu/rule.hpp has it
inline constexpr u32 kWholeWarp = 0xffffffffu;

/// As many numbers as one access of 16 bytes moves.
template <class R>
struct alignas(16) Vector {
  static constexpr int lanes = 16 / sizeof(R);
  R at[lanes];
};

template <class T>
OPTLAB_HD bool aligned(const T* pointer) {
  return (reinterpret_cast<u64>(pointer) & 15) == 0;
}

/// Which step is being taken. Inside of a graph, which is replayed for many, the numbers stand on the device: the place
/// of the step in tables, the step by which is drawn, and the step that the optimizer's state has come to.
struct StepCounter {
  i64 first;         ///< outside of a graph: both steps
  const i64* graph;  ///< null outside
  OPTLAB_HD i64 offset() const { return graph ? graph[0] : 0; }
  OPTLAB_HD i64 step() const { return graph ? graph[1] : first; }
  OPTLAB_HD i64 rule_step() const { return graph ? graph[2] : first; }
};

/// Standard normals of the elements of one Philox block.
template <class R>
OPTLAB_HD void normal_block(R* out, i64 block, u32 run, u64 step, u32 stream, u64 seed) {
  Bits<R> words[Number<R>::words];
  RandomWords<R>::draw(words, static_cast<Bits<R>>(block), run, step, stream, seed);
  Normal::apply<R>(out, words);
}
template <class R>
OPTLAB_HD R normal_element(i64 element, u32 run, u64 step, u32 stream, u64 seed) {
  constexpr int words = Number<R>::words;
  R z[words];
  normal_block(z, element / words, run, step, stream, seed);
  R out = z[0];  // selected, not indexed: an index would put z into local memory
#pragma unroll
  for (int j = 1; j < words; ++j) out = element % words == j ? z[j] : out;
  return out;
}

/// Folds 16 strips that stand in 16 neighbouring lanes, in the order of fold_strips; the sum is in the first of them.
template <class R>
OPTLAB_HD R fold_lanes(R strip) {
#pragma unroll
  for (int half = kStrips / 2; half > 0; half /= 2) strip = strip + __shfl_down_sync(kWholeWarp, strip, half);
  return strip;
}

/// The sum of every width-th number of [from, to), by one block, in an order that depends on their count alone; in the
/// first thread.
template <class R>
__device__ R total(const R* sums, i64 from, i64 to, int width) {
  __shared__ R totals[kThreads], carries[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  CarriedTotal<R> own;
  for (i64 k = from + thread; k < to; k += kThreads) own.add(sums[k * width]);
  totals[thread] = own.total;
  carries[thread] = own.carry;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread >= half) continue;
    own.add(totals[thread + half]);
    own.carry = own.carry + carries[thread + half];
    totals[thread] = own.total;
    carries[thread] = own.carry;
  }
  __syncthreads();  // the next call may write
  return own.result();
}

/// Squares are summed at three scales side by side, since a launch is not repeated where a sum leaves the range.
inline constexpr int kSquareScales = 3;

template <class R>
OPTLAB_HD void add_square(R* sums, R x) {
  const R down = x * SquareRange<R>::down, up = x * SquareRange<R>::up;
  sums[0] = sums[0] + x * x;
  sums[1] = sums[1] + down * down;
  sums[2] = sums[2] + up * up;
}
/// The norm by the one of three sums that is in range.
template <class R>
OPTLAB_HD ScaledNorm<R> norm_of_sums(const R* sums) {
  const R scale = scale_of_squares(sums[0]);
  return {sqrt<R>(scale == R(1) ? sums[0] : scale < R(1) ? sums[1] : sums[2]), scale};
}

}  // namespace optlab
