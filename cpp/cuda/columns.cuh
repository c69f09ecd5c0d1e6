// Passes over a matrix that sum over its rows, column by column, and may then read the matrix again to write another.
//
// A block works on a tile, `across` vectors of columns, with its other threads on as many rows at once. Rows are cut
// into chunks. A pass has three parts: `sum` the rows of a chunk, `combine` the chunks' sums and finish the columns'
// numbers, `apply` these to the rows of a chunk. They follow each other in three launches, one behind the other for
// slabs of columns so small that the second reading of a slab finds it in the cache: each launch applies one slab,
// combines the next and sums the one after. Matrices of few rows take all three parts in one block and one launch
// (`whole`). The order of the sums is that of tiles, chunks and threads: a function of the shape alone, which the slabs
// do not change.
#pragma once
#include "cuda/lanes.cuh"

namespace optlab {

inline constexpr int kMostAcross = 8;

/// Where a thread stands: `width` of its lanes are columns, from `column` on; it takes every height-th row from `row`
/// on.
struct Place : Access {
  i64 column, stride;  ///< stride: from row to row
  int row, height, vector;

  __device__ Place(i64 tile, int across, i64 columns, int lanes, bool aligned_rows) : stride(columns) {
    vectors = aligned_rows;
    vector = static_cast<int>(threadIdx.x) % across;
    row = static_cast<int>(threadIdx.x) / across;
    height = kThreads / across;
    column = (tile * across + vector) * lanes;
    const i64 left = columns - column;
    width = left >= lanes ? lanes : left > 0 ? static_cast<int>(left) : 0;
  }
  OPTLAB_HD i64 at(i64 of_row) const { return of_row * stride + column; }
};

/// Numbers of a thread's columns.
template <class T>
OPTLAB_HD Lanes<T> numbers(const Field<T>& of, const Place& place, T absent) {
  Lanes<T> out;
#pragma unroll
  for (int l = 0; l < Lanes<T>::count; ++l) out.at[l] = l < place.width ? of.number(place.column + l, absent) : absent;
  return out;
}

/// `count` numbers of each column, as they are summed or handed from part to part.
template <class R, int count>
struct Numbers {
  static constexpr int lanes = Vector<R>::lanes;
  R at[count][lanes];
  R rows;  ///< that were summed

  OPTLAB_HD void save(R* to, i64 spacing, int width) const {
#pragma unroll
    for (int q = 0; q < count; ++q)
#pragma unroll
      for (int l = 0; l < lanes; ++l)
        if (l < width) to[q * spacing + l] = at[q][l];
  }
  static OPTLAB_HD Numbers load(const R* from, i64 spacing, int width) {
    Numbers out{};
#pragma unroll
    for (int q = 0; q < count; ++q)
#pragma unroll
      for (int l = 0; l < lanes; ++l)
        if (l < width) out.at[q][l] = from[q * spacing + l];
    return out;
  }
  OPTLAB_HD void add(const Numbers& other) {
#pragma unroll
    for (int q = 0; q < count; ++q)
#pragma unroll
      for (int l = 0; l < lanes; ++l) at[q][l] = at[q][l] + other.at[q][l];
  }
};
template <class R>
OPTLAB_HD void put_number(R (*to)[Vector<R>::lanes], int which, int lane, R value) {
  to[which][lane] = value;
}
template <class R>
OPTLAB_HD void put_number(R (*to)[Vector<R>::lanes], int which, int lane, Dual<R> value) {
  to[2 * which][lane] = value.v;
  to[2 * which + 1][lane] = value.d;
}
template <class T, class R>
OPTLAB_HD T get_number(const R (*from)[Vector<R>::lanes], int which, int lane) {
  if constexpr (sizeof(T) == sizeof(R))
    return from[which][lane];
  else
    return {from[2 * which][lane], from[2 * which + 1][lane]};
}

/// Joins what the threads of a block have summed for the same columns; the first `across` threads hold the results.
template <class Pass>
__device__ void fold_block(typename Pass::Sums& own, int across) {
  __shared__ typename Pass::Sums room[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  room[thread] = own;
  __syncthreads();
  for (int half = kThreads / 2; half >= across; half /= 2) {
    if (thread < half) Pass::join(room[thread], room[thread + half]);
    __syncthreads();
  }
  own = room[thread];
}

/// A pass: what it reads of a row (In), sums (Sums), and makes of the sums (Coefficients). `batch` rows are read before
/// the first of them is used.
template <class Pass>
struct ColumnPass {
  using R = typename Pass::R;
  using Sums = typename Pass::Sums;
  using Coefficients = typename Pass::Coefficients;

  const Pass& pass;
  const Place& place;

  template <bool once, class Visit>
  OPTLAB_HD void each_batch(i64 begin, i64 end, Visit visit) const {
    constexpr int batch = Pass::batch;
    if (place.width == 0) return;
    for (i64 r = begin + place.row; r < end; r += batch * place.height) {
      const i64 left = end - r;
      const int count =
          left >= batch * place.height ? batch : (static_cast<int>(left) + place.height - 1) / place.height;
      typename Pass::In in[batch];
#pragma unroll
      for (int j = 0; j < batch; ++j)
        if (j < count) in[j] = pass.template read<once>(r + j * place.height, place);
      visit(in, r, count);
    }
  }

  /// The sums of a thread's rows from begin to end, folded over the block.
  __device__ Sums sum(i64 begin, i64 end, int across) const {
    Sums sums{};
    each_batch<false>(begin, end,
                      [&](const typename Pass::In* in, i64 r, int count) { pass.add(sums, in, r, count, place); });
    fold_block<Pass>(sums, across);
    return sums;
  }

  template <bool once>
  OPTLAB_HD void apply(i64 begin, i64 end, const Coefficients& c) const {
    each_batch<once>(begin, end, [&](const typename Pass::In* in, i64 r, int count) {
#pragma unroll
      for (int j = 0; j < Pass::batch; ++j) {
        if (j >= count) break;
        Lanes<R> out;
#pragma unroll
        for (int l = 0; l < Lanes<R>::count; ++l) out.at[l] = pass.element(in[j], l, c);
        store_lanes<once>(pass.of.out + place.at(r + j * place.height), out, place);
      }
    });
  }

  OPTLAB_HD Coefficients finished(const Sums& sums) const {
    Coefficients c{};
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      if (l < place.width) pass.finish(sums, l, place.column + l, c);
    return c;
  }
};

/// The blocks of a launch: tiles [first, first + count) are applied, combined and summed. Without chunks, a block takes
/// all of a tile.
template <class R>
struct Launch {
  i64 rows, columns, across, chunk, chunks;
  i64 apply_first, apply_count, combine_first, combine_count, sum_first;
  R *sums, *coefficients;  ///< (chunks, quantities, columns) and (coefficients, columns)
};
#define OPTLAB_LAUNCH_ARGUMENTS_OF(...)                                                                          \
  i64 rows, i64 columns, i64 across, i64 chunk, i64 chunks, i64 apply_first, i64 apply_count, i64 combine_first, \
      i64 combine_count, i64 sum_first, __VA_ARGS__ *sums, __VA_ARGS__ *coefficients
#define OPTLAB_LAUNCH                                                                                              \
  Launch<R> {                                                                                                      \
    rows, columns, across, chunk, chunks, apply_first, apply_count, combine_first, combine_count, sum_first, sums, \
        coefficients                                                                                               \
  }

template <class Pass>
__device__ void whole_tile(const Pass& pass, const Place& place, const Launch<typename Pass::R>& at) {
  using R = typename Pass::R;
  __shared__ typename Pass::Coefficients shared[kMostAcross];
  const ColumnPass<Pass> work{pass, place};
  const auto sums = work.sum(0, at.rows, static_cast<int>(at.across));
  if (place.row == 0) shared[place.vector] = work.finished(sums);
  __syncthreads();
  if constexpr (Pass::writes) work.template apply<false>(0, at.rows, shared[place.vector]);
}

template <class Pass>
__device__ void combine_tile(const Pass& pass, const Place& place, const Launch<typename Pass::R>& at) {
  constexpr int quantities = Pass::quantities;
  typename Pass::Sums sums{};
  if (place.width)
    for (i64 k = place.row; k < at.chunks; k += place.height) {
      auto more = Pass::Sums::load(at.sums + k * quantities * at.columns + place.column, at.columns, place.width);
      more.rows = static_cast<typename Pass::R>(k + 1 < at.chunks ? at.chunk : at.rows - k * at.chunk);
      Pass::join(sums, more);
    }
  fold_block<Pass>(sums, static_cast<int>(at.across));
  if (place.row == 0 && place.width)
    ColumnPass<Pass>{pass, place}.finished(sums).save(at.coefficients + place.column, at.columns, place.width);
}

/// What the block does. Passes that write as they sum, and have nothing to apply, are given no blocks for that.
template <class Pass>
__device__ void column_pass(const typename Pass::Arrays& of, const Launch<typename Pass::R>& at) {
  constexpr int lanes = Vector<typename Pass::R>::lanes;
  const int across = static_cast<int>(at.across);
  const bool vectors = Pass::vectors(of, at.columns);
  u32 block = blockIdx.x;  // divided in 32 bits: a 64-bit division is a call, which spills
  if (at.chunks == 0) {
    const Place place(block, across, at.columns, lanes, vectors);
    return whole_tile(Pass(of, place), place, at);
  }
  const u32 chunks = static_cast<u32>(at.chunks), applied = static_cast<u32>(at.apply_count);
  const u32 combined = static_cast<u32>(at.combine_count);
  const auto rows_of = [&](u32 k, i64& begin, i64& end) {
    begin = k * at.chunk;
    end = begin + at.chunk < at.rows ? begin + at.chunk : at.rows;
  };
  i64 begin, end;
  if (block < applied * chunks) {
    const Place place(at.apply_first + block % applied, across, at.columns, lanes, vectors);
    const Pass pass(of, place);
    rows_of(block / applied, begin, end);
    if constexpr (Pass::writes)
      ColumnPass<Pass>{pass, place}.template apply<true>(
          begin, end, Pass::Coefficients::load(at.coefficients + place.column, at.columns, place.width));
    return;
  }
  block -= applied * chunks;
  if (block < combined) {
    const Place place(at.combine_first + block, across, at.columns, lanes, vectors);
    return combine_tile(Pass(of, place), place, at);
  }
  block -= combined;
  const u32 tiles = (gridDim.x - applied * chunks - combined) / chunks, k = block / tiles;
  const Place place(at.sum_first + block % tiles, across, at.columns, lanes, vectors);
  const Pass pass(of, place);
  rows_of(k, begin, end);
  const auto sums = ColumnPass<Pass>{pass, place}.sum(begin, end, across);
  if (place.row == 0 && place.width)
    sums.save(at.sums + k * Pass::quantities * at.columns + place.column, at.columns, place.width);
}

}  // namespace optlab
