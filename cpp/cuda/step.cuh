// One optimizer step as its kernels see it: tables of pieces and of the chunks that blocks work on, and constants.
#pragma once
#include "cuda/grid.cuh"

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

/// What all launches of one step read. `constants` holds kConstants for each (row, piece), rows 1 or runs; those of the
/// next step of a replayed graph stand `stride` behind, 0 where they are made anew in each step.
template <class R>
struct Step {
  const Piece<R>* pieces;
  i64 count, runs, dim, rows;
  R* constants;
  i64 stride;
  StepCounter counter;

  OPTLAB_HD R* constants_of(i64 piece, i64 run) const {
    return constants + counter.offset() * stride + ((rows == 1 ? 0 : run) * count + piece) * kConstants;
  }
};

// Every launch of a step is given it in this way, since arguments are plain numbers and pointers.
#define OPTLAB_STEP_ARGUMENTS(R)                                                                           \
  const Piece<R>*pieces, i64 count, i64 runs, i64 dim, i64 rows, R *constants, i64 stride, i64 first_step, \
      const i64 *graph
#define OPTLAB_STEP pieces, count, runs, dim, rows, constants, stride, (StepCounter{first_step, graph})

}  // namespace optlab
