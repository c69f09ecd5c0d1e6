// Matrix products of as many runs as a register has lanes: every element is a pack, so that nothing is turned or
// packed. The sums are those of multiply() in gemm.hpp, bit for bit.
#pragma once
#include <utility>

#include "fused.hpp"
#include "gemm.hpp"
#include "parts.hpp"

namespace optlab {

/// Element (i, k) stands at data[i * row + k * column].
template <class R>
struct LaneMatrix {
  const Pack<R>* data;
  i64 row, column;
  LaneMatrix from(i64 k) const { return {data + k * column, row, column}; }
};

/// What all tiles of one product share.
struct LaneSteps {
  i64 c, a_row, a_column, b_row, b_column, k;
};

/// What becomes of the elements of c: written over, summed on in rising k, or added to as they stand.
enum class Into { fresh, resumed, added };

template <class R, int rows, int columns>
void lane_tile(Pack<R>* c, const Pack<R>* a, const Pack<R>* b, const LaneSteps& step, Into into) {
  using P = Pack<R>;
  P sum[rows][columns];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[i][j] = into == Into::resumed ? c[i * step.c + j] : P{};
  for (i64 p = 0; p < step.k; ++p, a += step.a_column, b += step.b_column) {
    P right[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) right[j] = b[j * step.b_row];
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const P left = a[i * step.a_row];
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[i][j] = fused<R>(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) {
      P& to = c[i * step.c + j];
      to = into == Into::added ? to + sum[i][j] : sum[i][j];
    }
}

/// As many sums as the registers hold beside their operands; narrow tiles are the longer.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kLaneColumns = 4;
inline constexpr int kLaneRows[] = {8, 8, 5, 4};
#else
inline constexpr int kLaneColumns = 3;
inline constexpr int kLaneRows[] = {6, 4, 3};
#endif

template <class R>
using LaneTile = void (*)(Pack<R>*, const Pack<R>*, const Pack<R>*, const LaneSteps&, Into);
template <class R>
struct LaneTiles {
  LaneTile<R> kernel[kLaneColumns][8];
};
template <class R, int columns, int... row>
constexpr void fill_lane_tiles(LaneTiles<R>& tiles, std::integer_sequence<int, row...>) {
  ((tiles.kernel[columns - 1][row] = lane_tile<R, row + 1, columns>), ...);
}
template <class R, int... column>
constexpr LaneTiles<R> make_lane_tiles(std::integer_sequence<int, column...>) {
  LaneTiles<R> tiles{};
  (fill_lane_tiles<R, column + 1>(tiles, std::make_integer_sequence<int, kLaneRows[column]>()), ...);
  return tiles;
}
template <class R>
inline constexpr LaneTiles<R> kLaneTileTable = make_lane_tiles<R>(std::make_integer_sequence<int, kLaneColumns>());

/// c (m, n), its rows n apart, becomes the sums over k of a(i, k) b(j, k), one run in each lane.
template <class R>
void multiply_lanes(Pack<R>* c, LaneMatrix<R> a, LaneMatrix<R> b, ProductShape s, Into into) {
  const LaneSteps steps{s.n, a.row, a.column, b.row, b.column, s.k};
  const i64 width = even_step(s.n, kLaneColumns);
  for (i64 j = 0; j < s.n; j += width) {
    const i64 columns = std::min(width, s.n - j), height = even_step(s.m, kLaneRows[columns - 1]);
    for (i64 i = 0; i < s.m; i += height)
      kLaneTileTable<R>.kernel[columns - 1][std::min(height, s.m - i) - 1](c + i * s.n + j, a.data + i * a.row,
                                                                           b.data + j * b.row, steps, into);
  }
}

/// The same with k in blocks, as multiply() takes it.
template <class R>
void multiply_lanes_in_blocks(Pack<R>* c, LaneMatrix<R> a, LaneMatrix<R> b, ProductShape s) {
  const i64 blocks = parts_of(s.k, kBlockK);
  for (i64 block = 0; block < blocks; ++block) {
    const Range k = part(s.k, blocks, block);
    multiply_lanes(c, a.from(k.begin), b.from(k.begin), {s.m, s.n, k.size()}, block ? Into::added : Into::fresh);
  }
}

}  // namespace optlab
