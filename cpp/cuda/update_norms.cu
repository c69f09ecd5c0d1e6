// The norms that some steps want: of a run's gradient, to clip it; of each layer's weights and update (LARS, LAMB); of
// a run's x, to project it. Blocks of kSumBlock elements are summed as on the CPU; what is made of these sums differs
// in the last place, because the CPU adds them one after the other.
#include "cuda/names.cuh"
#include "cuda/step.cuh"

namespace optlab {

/// Sums of squares over the blocks of kSumBlock elements of a chunk: 16 threads a block, one for each strip of the
/// tree. term(i, out) gives `numbers` of element i of the run; their squares go to
/// sums[run][block][numbers][kSquareScales].
template <int numbers, class R, class Term>
__device__ void sum_chunk(R* sums, const Piece<R>& piece, i64 begin, Term term) {
  constexpr int width = numbers * kSquareScales;
  const int strip = static_cast<int>(threadIdx.x) % kStrips;
  static_assert(kThreads / kStrips * kSumBlock == kChunk, "a block of threads sums a chunk in one pass");
  const i64 block = begin / kSumBlock + threadIdx.x / kStrips, from = block * kSumBlock + strip;
  R sum[width] = {};
  for (int k = 0; k < kSumBlock; k += kStrips) {
    R terms[numbers];
    if (from + k >= piece.n) break;
    term(from + k, terms);
    for (int w = 0; w < numbers; ++w) add_square(sum + w * kSquareScales, terms[w]);
  }
  for (int w = 0; w < width; ++w) {
    sum[w] = fold_lanes(sum[w]);
    if (strip == 0 && block * kSumBlock < piece.n) sums[(piece.first_block + block) * width + w] = sum[w];
  }
}

/// Blocks (chunk, run): squares of the gradient, or of x.
template <class R, bool of_gradient>
__global__ void __launch_bounds__(kThreads)
    squares(OPTLAB_STEP_ARGUMENTS(R), const Chunk* chunks, R* sums, i64 blocks) {
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<R>& piece = pieces[chunk.piece];
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const R* from = (of_gradient ? piece.g : piece.x) + run * dim;
    sum_chunk<1>(sums + run * blocks * kSquareScales, piece, chunk.part * kChunk,
                 [from](i64 i, R* out) { out[0] = from[i]; });
  }
}

/// Blocks (chunk, run): what a layerwise rule measures, and its states moved on.
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    measure(OPTLAB_STEP_ARGUMENTS(R), const Chunk* chunks, i64 flags, R* sums, i64 blocks) {
  const Step<R> step{OPTLAB_STEP};
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<R>& piece = pieces[chunk.piece];
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const R* c = step.constants_of(chunk.piece, run);
    const i64 offset = run * dim;
    sum_chunk<2>(sums + run * blocks * 2 * kSquareScales, piece, chunk.part * kChunk, [&](i64 i, R* out) {
      R s[F::states + 1];
      for (int k = 0; k < F::states; ++k) s[k] = piece.states[k][offset + i];
      const R x = piece.x[offset + i];
      const R u = measured<F, true, R>(x, piece.g[offset + i], s, c, static_cast<u32>(flags));
      for (int k = 0; k < F::states; ++k) piece.states[k][offset + i] = s[k];
      out[0] = x;
      out[1] = u;
    });
  }
}

template <class R>
__device__ i64 end_of(const Piece<R>& piece) {
  return piece.first_block + (piece.n + kSumBlock - 1) / kSumBlock;
}

/// One block a run: the norm over all of its pieces, in the first thread.
template <class R>
__device__ ScaledNorm<R> norm_of_run(const Step<R>& step, const R* sums) {
  R totals[kSquareScales];
  for (int scale = 0; scale < kSquareScales; ++scale) {
    CarriedTotal<R> all;
    for (i64 k = 0; k < step.count; ++k)
      all.add(total(sums + scale, step.pieces[k].first_block, end_of(step.pieces[k]), kSquareScales));
    totals[scale] = all.result();
  }
  return norm_of_sums(totals);
}

/// One block: the norm of one of the `numbers` that were summed of a piece, in the first thread.
template <int numbers, class R>
__device__ ScaledNorm<R> norm_of_piece(const Piece<R>& piece, const R* sums, int which) {
  R totals[kSquareScales];
  for (int scale = 0; scale < kSquareScales; ++scale)
    totals[scale] =
        total(sums + which * kSquareScales + scale, piece.first_block, end_of(piece), numbers * kSquareScales);
  return norm_of_sums(totals);
}

/// One block a run: the constants with the scale that clipping asks for, to `now` (runs, count, kConstants).
template <class R>
__global__ void __launch_bounds__(kThreads, 2)
    clip(OPTLAB_STEP_ARGUMENTS(R), const R* sums, i64 blocks, R bound, R* now) {
  const Step<R> step{OPTLAB_STEP};
  __shared__ R unit, factor;
  for (i64 run = blockIdx.x; run < runs; run += gridDim.x) {
    const ScaledNorm<R> norm = norm_of_run(step, sums + run * blocks * kSquareScales);
    if (threadIdx.x == 0) {
      const Shortening<R> by = clip_factor<R>(norm, bound);
      unit = by.unit;
      factor = by.factor;
    }
    __syncthreads();
    for (i64 k = threadIdx.x; k < count * kConstants; k += kThreads) {
      const R c = step.constants_of(k / kConstants, run)[k % kConstants];
      const i64 which = k % kConstants;
      now[run * count * kConstants + k] = which == Around::scale ? c * factor : which == Around::unit ? unit : c;
    }
    __syncthreads();
  }
}

/// Blocks (piece, run): the constants with what the two norms of a layer do to them, to `now`; that may be where they
/// stand.
template <class F, class R>
__global__ void __launch_bounds__(kThreads, 2) adapt(OPTLAB_STEP_ARGUMENTS(R), const R* sums, i64 blocks, R* now) {
  const Step<R> step{OPTLAB_STEP};
  const i64 k = blockIdx.x;
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const R* own = sums + run * blocks * 2 * kSquareScales;
    const ScaledNorm<R> of_x = norm_of_piece<2>(pieces[k], own, 0), of_u = norm_of_piece<2>(pieces[k], own, 1);
    if (threadIdx.x > 0) continue;
    R c[kConstants];
    for (int i = 0; i < Around::constants + F::constants; ++i) c[i] = step.constants_of(k, run)[i];
    F::adapt(of_x, of_u, c + Around::constants);
    R* to = now + (run * count + k) * kConstants;
    for (int i = 0; i < Around::constants + F::constants; ++i) to[i] = c[i];
  }
}

/// One block a run: the two factors that bring x back into the ball.
template <class R>
__global__ void __launch_bounds__(kThreads, 2)
    project(OPTLAB_STEP_ARGUMENTS(R), const R* sums, i64 blocks, R bound, R* factors) {
  const Step<R> step{OPTLAB_STEP};
  for (i64 run = blockIdx.x; run < runs; run += gridDim.x) {
    const ScaledNorm<R> norm = norm_of_run(step, sums + run * blocks * kSquareScales);
    if (threadIdx.x > 0) continue;
    const Shortening<R> by = projection_factor<R>(norm, bound);
    factors[2 * run] = by.unit;
    factors[2 * run + 1] = by.factor;
  }
}

/// Blocks (chunk, run): x times the factors of its run.
template <class R>
__global__ void __launch_bounds__(kThreads) scale(OPTLAB_STEP_ARGUMENTS(R), const Chunk* chunks, const R* factors) {
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<R>& piece = pieces[chunk.piece];
  const i64 end = chunk.part * kChunk + kChunk < piece.n ? chunk.part * kChunk + kChunk : piece.n;
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    R* x = piece.x + run * dim;
    const R unit = factors[2 * run], factor = factors[2 * run + 1];
    for (i64 i = chunk.part * kChunk + threadIdx.x; i < end; i += kThreads) x[i] = x[i] * unit * factor;
  }
}

}  // namespace optlab
