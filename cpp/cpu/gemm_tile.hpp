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
inline constexpr int kTileRows = 14, kTilePacks = 2;
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kTilePacks = 2;
#else
inline constexpr int kTileRows = 4, kTilePacks = 2;
#endif

/// c is fetched so many k before it is wanted: the panels that stream through the cache would throw it out again.
inline constexpr i64 kLate = 48;

/// c (+)= a b for panels a (k, rows) and b (k, packs * lanes); only the first `columns` of c exist.
template <class R, int rows, int packs>
void multiply_tile(R* c, i64 stride, i64 columns, const R* a, const R* b, i64 k, bool add) {
  constexpr int lanes = kLanes<R>;
  Pack<R> sum[rows][packs] = {};
  i64 end = std::max<i64>(0, k - kLate);
  for (i64 p = 0; p < k; end = k) {
    for (; p < end; ++p) {
      Pack<R> right[packs];
#pragma GCC unroll 2
      for (int j = 0; j < packs; ++j) right[j] = load(b + j * lanes);
#pragma GCC unroll 14
      for (int i = 0; i < rows; ++i) {
        const Pack<R> left = a[i] - Pack<R>{};
#pragma GCC unroll 2
        for (int j = 0; j < packs; ++j) sum[i][j] = fused<R>(left, right[j], sum[i][j]);
      }
      a += rows;
      b += packs * lanes;
    }
    if (end < k)
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < packs; ++j) __builtin_prefetch(c + i * stride + j * lanes, 1);
  }
  if (columns == packs * lanes) {
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < packs; ++j) {
        R* at = c + i * stride + j * lanes;
        store(at, add ? load(at) + sum[i][j] : sum[i][j]);
      }
    return;
  }
  R whole[rows][packs * lanes];
  std::memcpy(whole, sum, sizeof whole);
  for (int i = 0; i < rows; ++i)
    for (i64 j = 0; j < columns; ++j) c[i * stride + j] = add ? c[i * stride + j] + whole[i][j] : whole[i][j];
}

template <class R>
using MultiplyTile = void (*)(R*, i64, i64, const R*, const R*, i64, bool);

template <class R, int packs, int... row>
constexpr MultiplyTile<R> tile_of(i64 rows, std::integer_sequence<int, row...>) {
  constexpr MultiplyTile<R> table[] = {multiply_tile<R, row + 1, packs>...};
  return table[rows - 1];
}

/// The kernel for a tile of so many rows and packs.
template <class R>
MultiplyTile<R> find_tile(i64 rows, i64 packs) {
  constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  return packs == 1 ? tile_of<R, 1>(rows, all) : tile_of<R, 2>(rows, all);
}

}  // namespace optlab
