// What a network's training step needs beside products, normalization and losses: the batch, penalties, sums over a
// vector, and the count of the steps that a graph has replayed.
#include "cuda/grid.cuh"

namespace optlab {

inline constexpr i64 kSumChunk = kThreads / kStrips * kSumBlock;  ///< elements that a block sums

/// Row k of `to` is row index[k] of `from`; the index of the next step of a graph stands `rows` behind. Blocks (part of
/// a row, row).
template <class T>
__global__ void __launch_bounds__(kThreads)
    gather(T* to, const T* from, const i64* index, i64 rows, i64 width, const i64* graph) {
  const i64* own = index + StepCounter{0, graph}.offset() * rows;
  const i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= width) return;
  for (i64 row = blockIdx.y; row < rows; row += gridDim.y) to[row * width + i] = from[own[row] * width + i];
}

/// g += decay theta + l1 sign(theta), or, along v, g += decay v.
template <class R>
__global__ void __launch_bounds__(kThreads) penalize(R* g, const R* theta, const R* v, i64 n, R decay, R l1) {
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += stride) {
    const R x = theta[i], sign = x > R(0) ? R(1) : x < R(0) ? R(-1) : R(0);
    g[i] = g[i] + (v ? v[i] * decay : x * decay + sign * l1);
  }
}

/// to = of.
template <class R>
__global__ void __launch_bounds__(kThreads) copy(R* to, const R* of, i64 n) {
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += stride) to[i] = of[i];
}

/// g += part.
template <class R>
__global__ void __launch_bounds__(kThreads) add(R* g, const R* part, i64 n) {
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += stride) g[i] = g[i] + part[i];
}

/// Sums of squares (kSquareScales) and of magnitudes over each block of kSumBlock elements, on the strips of the one
/// tree. Blocks of threads: one for each kSumChunk elements.
template <class R>
__global__ void __launch_bounds__(kThreads) block_sums(R* squares, R* sizes, const R* x, i64 n) {
  const i64 block = static_cast<i64>(blockIdx.x) * (kThreads / kStrips) + threadIdx.x / kStrips;
  const i64 strip = threadIdx.x % kStrips;
  R square[kSquareScales] = {}, size{};
  for (i64 i = block * kSumBlock + strip; i < block * kSumBlock + kSumBlock && i < n; i += kStrips) {
    add_square(square, x[i]);
    size = size + (x[i] < R(0) ? -x[i] : x[i]);
  }
  for (R& sum : square) sum = fold_lanes(sum);
  size = fold_lanes(size);
  if (strip > 0 || block * kSumBlock >= n) return;
  for (int scale = 0; scale < kSquareScales; ++scale) squares[block * kSquareScales + scale] = square[scale];
  sizes[block] = size;
}

/// One block: value += decay / 2 (sum of squares) + l1 (sum of magnitudes); and, where it is wanted, the norm.
template <class R>
__global__ void __launch_bounds__(kThreads)
    finish_sums(R* value, R* norm, const R* squares, const R* sizes, i64 blocks, R decay, R l1) {
  R square[kSquareScales];
  for (int scale = 0; scale < kSquareScales; ++scale) square[scale] = total(squares + scale, 0, blocks, kSquareScales);
  const R size = total(sizes, 0, blocks, 1);
  if (threadIdx.x > 0) return;
  if (value) *value = *value + (decay / R(2) * square[0] + l1 * size);
  if (norm) *norm = norm_of_sums(square).value();
}

/// Three threads: a graph goes on to its next step (StepCounter). A template, so that no other kernel of this file
/// carries it along.
template <class Count>
__global__ void advance(Count* graph) {
  graph[threadIdx.x] = graph[threadIdx.x] + 1;
}

}  // namespace optlab
