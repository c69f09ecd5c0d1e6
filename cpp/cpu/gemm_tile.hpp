// The micro-kernel of the matrix product: a tile of C in registers, one fused multiply-add per element and k, in rising
// k.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "fused.hpp"

namespace optlab {

/// The largest tile: rows, and packs of columns. Of the registers, all but a few for the operands hold sums.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRows = 8, kTilePacks = 3;
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kTilePacks = 2;
#else
inline constexpr int kTileRows = 4, kTilePacks = 2;
#endif

/// A tile of c, its rows `stride` apart; `add` tells whether it holds something to add to.
template <class R>
struct Tile {
  R* c;
  i64 stride, columns;
  bool add;
};

/// Memory that is wanted soon: rows of so many bytes, fetched into the first-level cache a line at a time.
class Lines {
 public:
  Lines() = default;
  Lines(const void* first, i64 step, i64 length, i64 rows)
      : row_(reinterpret_cast<std::uintptr_t>(first)), step_(step), length_(length), rows_(rows) {
    begin_row();
  }
  OPTLAB_HD void fetch(i64 lines) {
    for (; lines > 0 && rows_ > 0; --lines) {
      __builtin_prefetch(reinterpret_cast<const char*>(at_), 0, 3);
      at_ += kLine;
      if (at_ >= row_ + length_) {
        --rows_;
        row_ += step_;
        begin_row();
      }
    }
  }
  i64 count() const { return rows_ * (length_ / kLine + 1); }

 private:
  static constexpr std::uintptr_t kLine = 64;
  OPTLAB_HD void begin_row() { at_ = row_ & ~(kLine - 1); }
  std::uintptr_t row_ = 0, at_ = 0;
  i64 step_ = 0, length_ = 0, rows_ = 0;
};

template <class R, int rows, int packs>
OPTLAB_HD void store_tile(const Tile<R>& tile, const Pack<R> (&sum)[rows][packs]) {
  constexpr int lanes = kLanes<R>;
  if (tile.columns == packs * lanes) {
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 3
      for (int j = 0; j < packs; ++j) {
        R* at = tile.c + i * tile.stride + j * lanes;
        store(at, tile.add ? load(at) + sum[i][j] : sum[i][j]);
      }
    return;
  }
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < packs; ++j) {
      const i64 n = std::min<i64>(lanes, tile.columns - j * lanes);
      R* at = tile.c + i * tile.stride + j * lanes;
      store_part(at, tile.add ? load_part(at, n) + sum[i][j] : sum[i][j], n);
    }
}

/// So many k are summed between two fetches: of a row of c, and of what is wanted next.
inline constexpr i64 kStride = 16;

/// Adds the products of one k.
template <class R, int rows, int packs>
OPTLAB_HD void add_step(Pack<R> (&sum)[rows][packs], const R* a, i64 a_row, const R* b) {
  Pack<R> right[packs];
#pragma GCC unroll 3
  for (int j = 0; j < packs; ++j) right[j] = load(b + j * kLanes<R>);
#pragma GCC unroll 14
  for (int i = 0; i < rows; ++i) {
    const Pack<R> number = a[i * a_row] - Pack<R>{};
#pragma GCC unroll 3
    for (int j = 0; j < packs; ++j) sum[i][j] = fused<R>(number, right[j], sum[i][j]);
  }
}

/// tile (+)= a b for panels a (k, rows) and b (k, packs * lanes). Meanwhile `next` is fetched, and, at the end, c: the
/// panels that stream through the first-level cache would throw it out again.
template <class R, int rows, int packs>
void multiply_tile(const Tile<R>& tile, const R* a, const R* b, i64 k, Lines next) {
  Pack<R> sum[rows][packs] = {};
  const i64 strides = (k + kStride - 1) / kStride, lines = (next.count() + strides - 1) / strides;
  for (i64 p = 0, rest = strides; p < k; --rest) {
    next.fetch(lines);
    if (rest <= rows)
      for (int j = 0; j < packs; ++j) __builtin_prefetch(tile.c + (rest - 1) * tile.stride + j * kLanes<R>, 1);
    for (const i64 end = std::min(k, p + kStride); p < end; ++p, a += rows, b += packs * kLanes<R>)
      add_step<R>(sum, a, 1, b);
  }
  store_tile<R>(tile, sum);
}

/// Numbers that stand anywhere: row i and step p of a at a[i * row + p * step], and packs of b `right_step` apart.
template <class R>
struct Standing {
  const R* a;
  i64 row, step;
  const R* b;
  i64 right_step;
};

/// The same of what was not packed: where all of it is in the first-level cache, that would cost more than it brings.
template <class R, int rows, int packs>
void multiply_standing(const Tile<R>& tile, Standing<R> from, i64 k) {
  Pack<R> sum[rows][packs] = {};
  for (i64 p = 0; p < k; ++p, from.a += from.step, from.b += from.right_step)
    add_step<R>(sum, from.a, from.row, from.b);
  store_tile<R>(tile, sum);
}

template <class R>
using MultiplyTile = void (*)(const Tile<R>&, const R*, const R*, i64, Lines);
template <class R>
using MultiplyStanding = void (*)(const Tile<R>&, Standing<R>, i64);

/// The kernels for tiles of 1, 2, ... packs and rows.
template <class R>
struct Tiles {
  MultiplyTile<R> kernel[kTilePacks][kTileRows];
  MultiplyStanding<R> standing[kTilePacks][kTileRows];
};

template <class R, int packs, int... row>
constexpr void fill_tiles(Tiles<R>& tiles, std::integer_sequence<int, row...>) {
  ((tiles.kernel[packs - 1][row] = multiply_tile<R, row + 1, packs>), ...);
  ((tiles.standing[packs - 1][row] = multiply_standing<R, row + 1, packs>), ...);
}
template <class R, int... pack>
constexpr Tiles<R> make_tiles(std::integer_sequence<int, pack...>) {
  Tiles<R> tiles{};
  (fill_tiles<R, pack + 1>(tiles, std::make_integer_sequence<int, kTileRows>()), ...);
  return tiles;
}
template <class R>
inline constexpr Tiles<R> kTiles = make_tiles<R>(std::make_integer_sequence<int, kTilePacks>());

}  // namespace optlab
