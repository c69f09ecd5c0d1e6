// Optimizer steps: one launch for all arrays of a step. What the rules say stands in optlab/updates; here are the loops
// over memory, with 16-byte accesses where all arrays of a piece allow them, and the norms that some steps need first.
#include "cuda/grid.cuh"
#include "cuda/names.cuh"
#include "optlab/norm_factors.hpp"

namespace optlab {

/// Consecutive elements with the same constants, in the first run; those of run r stand r * dim behind.
template <class R>
struct Piece {
  R* x;
  const R* g;
  R* states[4];
  i64 first, n;     ///< the number of the first element in the run, and how many there are
  i64 first_block;  ///< of kSumBlock elements, among all of a run
};

/// The piece and the part of it, kChunk elements, that a block works on.
struct Chunk {
  u32 piece, part;
};
inline constexpr i64 kChunk = 4096;

/// What all launches of one step read. Constants: (steps, rows, pieces, kConstants), rows 1 or runs.
template <class R>
struct Step {
  const Piece<R>* pieces;
  i64 count, runs, dim, rows;
  const R* constants;
  StepCounter counter;

  OPTLAB_HD const R* constants_of(i64 piece, i64 run) const {
    const i64 row = counter.offset() * rows + (rows == 1 ? 0 : run);
    return constants + (row * count + piece) * kConstants;
  }
};

/// A part of a piece in one run, and its states.
template <class F, class R>
struct Part {
  R* x;
  const R* g;
  R* states[F::states + 1];  // + 1: a rule without state has no empty array
  i64 n;
  bool vectors;  ///< whether 16-byte accesses are allowed

  __device__ Part(const Piece<R>& piece, i64 begin, i64 run_offset)
      : n(piece.n - begin < kChunk ? piece.n - begin : kChunk) {
    x = piece.x + run_offset + begin;
    g = piece.g + run_offset + begin;
    vectors = aligned(x) && aligned(g);
    for (int k = 0; k < F::states; ++k) {
      states[k] = piece.states[k] + run_offset + begin;
      vectors = vectors && aligned(states[k]);
    }
  }
};

/// What each element meets: the rule, and the noise after it.
template <class F, class R, bool noisy>
struct Element {
  R c[Around::constants + F::constants];
  u32 flags, run;
  R sigma;
  u64 seed, step;

  __device__ Element(const R* constants, u32 flags_of_step, u32 run_number, R noise, u64 noise_seed, i64 at)
      : flags(flags_of_step), run(run_number), sigma(noise), seed(noise_seed), step(static_cast<u64>(at)) {
    for (int k = 0; k < Around::constants + F::constants; ++k) c[k] = constants[k];
  }
  __device__ void one(const Part<F, R>& part, i64 i, i64 element) const {
    R s[F::states + 1], x = part.x[i];
    for (int k = 0; k < F::states; ++k) s[k] = part.states[k][i];
    update_element<F, R>(x, part.g[i], s, c, flags);
    if (noisy) x = x + sigma * normal_element<R>(element, run, step, kNoise, seed);
    for (int k = 0; k < F::states; ++k) part.states[k][i] = s[k];
    part.x[i] = x;
  }
  /// `count` vectors, `stride` elements apart: all are read before the first is written.
  template <int count>
  __device__ void vectors(const Part<F, R>& part, i64 i, i64 stride, i64 element) const {
    constexpr int lanes = Vector<R>::lanes;
    Vector<R> x[count], g[count], s[count][F::states + 1];
#pragma unroll
    for (int j = 0; j < count; ++j) {
      x[j] = load(part.x, i + j * stride);
      g[j] = load(part.g, i + j * stride);
      for (int k = 0; k < F::states; ++k) s[j][k] = load(part.states[k], i + j * stride);
    }
#pragma unroll
    for (int j = 0; j < count; ++j) {
      R z[lanes];
      if (noisy) normals(z, element + j * stride);
#pragma unroll
      for (int l = 0; l < lanes; ++l) {
        R own[F::states + 1];
        for (int k = 0; k < F::states; ++k) own[k] = s[j][k].at[l];
        update_element<F, R>(x[j].at[l], g[j].at[l], own, c, flags);
        if (noisy) x[j].at[l] = x[j].at[l] + sigma * z[l];
        for (int k = 0; k < F::states; ++k) s[j][k].at[l] = own[k];
      }
      for (int k = 0; k < F::states; ++k) store(part.states[k], i + j * stride, s[j][k]);
      store(part.x, i + j * stride, x[j]);
    }
  }

 private:
  static __device__ Vector<R> load(const R* from, i64 i) { return *reinterpret_cast<const Vector<R>*>(from + i); }
  static __device__ void store(R* to, i64 i, const Vector<R>& v) { *reinterpret_cast<Vector<R>*>(to + i) = v; }
  /// A vector's draws; it is one Philox block where the run's elements are counted from a multiple of its length.
  __device__ void normals(R* z, i64 element) const {
    static_assert(Vector<R>::lanes == Number<R>::words, "a vector is as long as a block of draws");
    if (element % Vector<R>::lanes == 0) return normal_block(z, element / Vector<R>::lanes, run, step, kNoise, seed);
#pragma unroll
    for (int l = 0; l < Vector<R>::lanes; ++l) z[l] = normal_element<R>(element + l, run, step, kNoise, seed);
  }
};

// Every launch of a step is given it as: pieces, count, runs, dim, rows, constants, first step, steps done.
#define OPTLAB_STEP_ARGUMENTS \
  const Piece<R>*pieces, i64 count, i64 runs, i64 dim, i64 rows, const R *constants, i64 first_step, const i64 *done
#define OPTLAB_STEP                              \
  Step<R> {                                      \
    pieces, count, runs, dim, rows, constants, { \
      first_step, done                           \
    }                                            \
  }

/// Blocks (chunk, run). Noise has the standard deviation sigma.
template <class F, class R, bool noisy>
__global__ void __launch_bounds__(kThreads)
    update(OPTLAB_STEP_ARGUMENTS, const Chunk* chunks, i64 flags, R sigma, u64 seed) {
  const Step<R> step = OPTLAB_STEP;
  constexpr i64 lanes = Vector<R>::lanes, stride = kThreads * lanes;
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<R>& piece = step.pieces[chunk.piece];
  const i64 begin = chunk.part * kChunk, element = piece.first + begin, thread = threadIdx.x;
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const Part<F, R> part(piece, begin, run * dim);
    const Element<F, R, noisy> each(step.constants_of(chunk.piece, run), static_cast<u32>(flags), static_cast<u32>(run),
                                    sigma, seed, step.counter.step());
    i64 i = thread * lanes;
    if (part.vectors) {
      for (; i + stride + lanes <= part.n; i += 2 * stride) each.template vectors<2>(part, i, stride, element + i);
      for (; i + lanes <= part.n; i += stride) each.template vectors<1>(part, i, stride, element + i);
      i = part.n / lanes * lanes + thread;  // fewer than a vector are left
    } else {
      i = thread;
    }
    for (; i < part.n; i += kThreads) each.one(part, i, element + i);
  }
}

}  // namespace optlab
