// Optimizer steps: one launch for all arrays of a step. What the rules say stands in optlab/updates; here are the loops
// over memory, with 16-byte accesses where all arrays of a piece allow them.
#include "cuda/names.cuh"
#include "cuda/step.cuh"

namespace optlab {

/// A part of a piece in one run, and its states.
template <class F, class R>
struct Part {
  R* x;
  const R* g;
  R* states[F::states + 1];  // + 1: a rule without state has no empty array
  i64 n;
  bool vectors;  ///< whether 16-byte accesses are allowed

  /// At most a chunk of the `left` elements from `offset` on, whose gradients stand at g_offset.
  __device__ Part(const Piece<R>& piece, i64 offset, i64 g_offset, i64 left) : n(left < kChunk ? left : kChunk) {
    x = piece.x + offset;
    g = piece.g + g_offset;
    vectors = aligned(x) && aligned(g);
    for (int k = 0; k < F::states; ++k) {
      states[k] = piece.states[k] + offset;
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

/// The elements of a part, the first of which has the number `element` in its run.
template <class F, class R, bool noisy>
__device__ void update_part(const Part<F, R>& part, const Element<F, R, noisy>& each, i64 element) {
  constexpr i64 lanes = Vector<R>::lanes, stride = kThreads * lanes;
  constexpr int at_once = noisy ? 1 : 2;  // draws want the registers, and are what the time goes into
  const i64 thread = threadIdx.x;
  i64 i = thread;
  if (part.vectors) {
    for (i = thread * lanes; i + (at_once - 1) * stride + lanes <= part.n; i += at_once * stride)
      each.template vectors<at_once>(part, i, stride, element + i);
    for (; i + lanes <= part.n; i += stride) each.template vectors<1>(part, i, stride, element + i);
    i = part.n / lanes * lanes + thread;  // fewer than a vector are left
  }
  for (; i < part.n; i += kThreads) each.one(part, i, element + i);
}

/// Blocks (chunk, run): the rule, and noise with the standard deviation sigma.
template <class F, class R, bool noisy>
__global__ void __launch_bounds__(kThreads, noisy ? 1 : 2)
    update(OPTLAB_STEP_ARGUMENTS(R), const Chunk* chunks, i64 flags, R sigma, u64 seed, i64 first_run) {
  const Step<R> step{OPTLAB_STEP};
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<R>& piece = pieces[chunk.piece];
  const i64 begin = chunk.part * kChunk;
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const Element<F, R, noisy> each(step.constants_of(chunk.piece, run), static_cast<u32>(flags),
                                    static_cast<u32>(first_run + run), sigma, seed, step.counter.step());
    update_part(Part<F, R>(piece, run * dim + begin, run * dim + begin, piece.n - begin), each, piece.first + begin);
  }
}

/// Blocks (part of a row, row): the rows of a matrix that are named, whose gradients stand one after the other. The
/// piece is the first row of the matrix.
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    update_rows(OPTLAB_STEP_ARGUMENTS(R), const i64* named, i64 named_count, i64 flags) {
  const Step<R> step{OPTLAB_STEP};
  const Piece<R>& piece = pieces[0];
  const i64 begin = blockIdx.x * kChunk;
  const Element<F, R, false> each(step.constants_of(0, 0), static_cast<u32>(flags), 0, R(0), 0, 0);
  for (i64 k = blockIdx.y; k < named_count; k += gridDim.y)
    update_part(Part<F, R>(piece, named[k] * piece.n + begin, k * piece.n + begin, piece.n - begin), each, 0);
}

}  // namespace optlab
