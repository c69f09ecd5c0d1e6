// The micro-kernel of the matrix product: a tile of C in registers, one fused multiply-add per element and k, in rising
// k.
#pragma once
#include <algorithm>
#include <utility>

#include "pack.hpp"

namespace optlab {

/// a * b + c with one rounding. The baseline of x86 has no such instruction, so its products differ in the last bits.
template <class R>
OPTLAB_HD Pack<R> fused(Pack<R> a, Pack<R> b, Pack<R> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(R) == 4)
    return _mm512_fmadd_ps(a, b, c);
  else
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  if constexpr (sizeof(R) == 4)
    return _mm256_fmadd_ps(a, b, c);
  else
    return _mm256_fmadd_pd(a, b, c);
#elif defined(__x86_64__)
  return a * b + c;
#else
  for (int i = 0; i < kLanes<R>; ++i)
    c[i] = sizeof(R) == 4 ? __builtin_fmaf(a[i], b[i], c[i]) : __builtin_fma(a[i], b[i], c[i]);
  return c;
#endif
}

/// The largest tile: rows, and packs of columns. Of the registers, all but a few for the operands hold sums.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRows = 8, kTilePacks = 3;
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kTilePacks = 2;
#else
inline constexpr int kTileRows = 4, kTilePacks = 2;
#endif

/// c is fetched so many k before it is wanted: the panels that stream through the cache would throw it out again.
inline constexpr i64 kLate = 48;

/// A tile of c, its rows `stride` apart; `add` tells whether it holds something to add to.
template <class R>
struct Tile {
  R* c;
  i64 stride, columns;
  bool add;
};

/// sum += a b for a panel a (k, rows), where next_right(right) gives the packs of b for one k after the other.
template <class R, int rows, int packs, class Next>
OPTLAB_HD void sum_tile(Pack<R> (&sum)[rows][packs], const Tile<R>& tile, const R* a, i64 k, Next next_right) {
  i64 end = std::max<i64>(0, k - kLate);
  for (i64 p = 0; p < k; end = k) {
    for (; p < end; ++p, a += rows) {
      Pack<R> right[packs];
      next_right(right);
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) {
        const Pack<R> left = a[i] - Pack<R>{};
#pragma GCC unroll 3
        for (int j = 0; j < packs; ++j) sum[i][j] = fused<R>(left, right[j], sum[i][j]);
      }
    }
    if (end < k)
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < packs; ++j) __builtin_prefetch(tile.c + i * tile.stride + j * kLanes<R>, 1);
  }
}

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
  R whole[rows][packs * lanes];
  std::memcpy(whole, sum, sizeof whole);
  for (int i = 0; i < rows; ++i)
    for (i64 j = 0; j < tile.columns; ++j) {
      R& at = tile.c[i * tile.stride + j];
      at = tile.add ? at + whole[i][j] : whole[i][j];
    }
}

/// tile (+)= a b for panels a (k, rows) and b (k, packs * lanes).
template <class R, int rows, int packs>
void multiply_tile(const Tile<R>& tile, const R* a, const R* b, i64 k) {
  Pack<R> sum[rows][packs] = {};
  sum_tile<R>(sum, tile, a, k, [&](Pack<R>* right) {
#pragma GCC unroll 3
    for (int j = 0; j < packs; ++j) right[j] = load(b + j * kLanes<R>);
    b += packs * kLanes<R>;
  });
  store_tile<R>(tile, sum);
}

/// The same where b still lies in its matrix, the rows of k `step` apart; on the way it is packed into `panel`. The
/// stores find room beside the arithmetic, so the first tile of a panel packs it for nothing.
template <class R, int rows, int packs>
void multiply_tile_and_pack(const Tile<R>& tile, const R* a, const R* b, i64 step, R* panel, i64 k) {
  Pack<R> sum[rows][packs] = {};
  sum_tile<R>(sum, tile, a, k, [&](Pack<R>* right) {
#pragma GCC unroll 3
    for (int j = 0; j < packs; ++j) {
      right[j] = load(b + j * kLanes<R>);
      store(panel + j * kLanes<R>, right[j]);
    }
    b += step;
    panel += packs * kLanes<R>;
  });
  store_tile<R>(tile, sum);
}

template <class R>
using MultiplyTile = void (*)(const Tile<R>&, const R*, const R*, i64);
template <class R>
using MultiplyTileAndPack = void (*)(const Tile<R>&, const R*, const R*, i64, R*, i64);

/// The kernels for tiles of 1, 2, ... rows and packs.
template <class R>
struct Tiles {
  MultiplyTile<R> plain[kTilePacks][kTileRows];
  MultiplyTileAndPack<R> packing[kTilePacks][kTileRows];
};

template <class R, int packs, int... row>
constexpr void fill_tiles(Tiles<R>& tiles, std::integer_sequence<int, row...>) {
  ((tiles.plain[packs - 1][row] = multiply_tile<R, row + 1, packs>), ...);
  ((tiles.packing[packs - 1][row] = multiply_tile_and_pack<R, row + 1, packs>), ...);
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
