// Random numbers by packs, in the two layouts of a study: lanes are runs, or lanes are elements of one run.
#pragma once
#include <algorithm>
#include <utility>

#include "pack.hpp"
#include "sums.hpp"

namespace optlab {

/// Where a draw stands, but for run and element.
struct DrawAddress {
  u64 seed;
  u32 stream;
  u64 step;
};

/// The words of consecutive blocks of one run in the layout of float, rounded up to whole packs of blocks.
inline constexpr int kBlocksAtOnce = kLanes<double>;
OPTLAB_HD void draw_words(u32* to, u32 block, i64 blocks, u32 run, DrawAddress at) {
  const PackW first = woven_blocks<double>() + static_cast<u64>(block);
  for (i64 b = 0; b < blocks; b += kBlocksAtOnce, to += 4 * kBlocksAtOnce) {
    const auto p = philox_varying_first<PackW>(first + static_cast<u64>(b), run, step_low(at.step),
                                               step_high(at.step, at.stream), at.seed);
    PackW pairs[2];
    for (int i = 0; i < 2; ++i) pairs[i] = (p.word[2 * i] & 0xffffffffull) | (p.word[2 * i + 1] << 32);
    weave(pairs);
    std::memcpy(to, pairs, sizeof pairs);
  }
}

/// Calls visit(i, pack) for the elements i = 0 .. dim-1 of the runs first_run, first_run + 1, ... in the lanes.
template <class R, class Distribution, class Visit>
OPTLAB_HD void draw_runs(i64 dim, u32 first_run, DrawAddress at, Visit visit) {
  using P = Pack<R>;
  constexpr int words = Number<P>::words;
  const Bits<P> run = (lane_numbers<R>() + first_run) & 0xffffffffu;
  const auto block = [&](i64 begin, P* out) {
    Bits<P> bits[words];
    RandomWords<P>::draw_runs(bits, static_cast<u32>(begin / words), run, at.step, at.stream, at.seed);
    Distribution::template apply<P>(out, bits);
  };
  P out[words];
  i64 i = 0;
  for (; i + words <= dim; i += words) {
    block(i, out);
#pragma GCC unroll 4
    for (int j = 0; j < words; ++j) visit(i + j, out[j]);
  }
  if (i == dim) return;
  block(i, out);
  for (int j = 0; i + j < dim; ++j) visit(i + j, out[j]);
}

/// Calls visit(p, pack) for the packs p of consecutive elements of one run, the last one padded, from `first_element`
/// on (a multiple of words * lanes).
template <class R, class Distribution, class Visit>
OPTLAB_HD void draw_elements(i64 dim, u32 run, DrawAddress at, Visit visit, i64 first_element = 0) {
  using P = Pack<R>;
  constexpr int words = Number<P>::words, lanes = kLanes<R>;
  for (i64 i = first_element; i < dim; i += words * lanes) {
    Bits<P> bits[words];
    P out[words];
    RandomWords<P>::draw(bits, woven_blocks<R>() + static_cast<Bits<R>>(i / words), Bits<P>{} + run, at.step, at.stream,
                         at.seed);
    Distribution::template apply<P>(out, bits);
    for (int j = 0; j < words; ++j) bits[j] = Number<P>::bits(out[j]);
    weave(bits);
    const i64 packs = std::min<i64>(words, (dim - i + lanes - 1) / lanes);
    for (i64 j = 0; j < packs; ++j) visit(i / lanes + j, Number<P>::from_bits(bits[j]));
  }
}

/// One run's draws written to a plain array.
template <class R, class Distribution>
void draw_row(R* out, i64 dim, u32 run, DrawAddress at, i64 first_element = 0) {
  constexpr int lanes = kLanes<R>;
  draw_elements<R, Distribution>(
      dim, run, at,
      [&](i64 p, Pack<R> pack) { store_part(out + p * lanes, pack, std::min<i64>(lanes, dim - p * lanes)); },
      first_element);
}

/// A uniform draw from the ball of the given radius around 0.
template <class R>
void draw_ball(R* out, i64 dim, R radius, u32 run, DrawAddress at) {
  constexpr int lanes = kLanes<R>;
  draw_row<R, Normal>(out, dim, run, at);
  R square;
  sum_terms<R, false>(&square, dim, [&](i64 p) {
    const Pack<R> z = load_part(out + p * lanes, std::min<i64>(lanes, dim - p * lanes));
    return z * z;
  });
  const R scale = ball_scale(radius, dim, square, run, at.step, at.stream, at.seed);
  for (i64 i = 0; i < dim; ++i) out[i] = out[i] * scale;
}

/// `count` sample numbers below `high`, drawn with replacement. The words are those of the float layout, whatever R is,
/// so that both number types see the same batches.
inline void draw_indices(i64* out, i64 count, u32 high, u32 run, DrawAddress at) {
  for (i64 i = 0; i < count; i += 4) {
    u32 words[4];
    RandomWords<float>::draw(words, static_cast<u32>(i / 4), run, at.step, at.stream, at.seed);
    for (i64 j = 0; j < 4 && i + j < count; ++j) out[i + j] = below(words[j], high);
  }
}

/// A random order of 0 .. count - 1 by Fisher and Yates, from the last place down. The bias of each choice is below
/// count / 2^32.
template <class Index>
void draw_permutation(Index* out, i64 count, u32 run, DrawAddress at) {
  u32 words[4];
  for (i64 i = 0; i < count; ++i) out[i] = static_cast<Index>(i);
  for (i64 i = count - 1, drawn = 0; i > 0; --i, ++drawn) {
    if (drawn % 4 == 0) RandomWords<float>::draw(words, static_cast<u32>(drawn / 4), run, at.step, at.stream, at.seed);
    std::swap(out[i], out[below(words[drawn % 4], static_cast<u32>(i + 1))]);
  }
}

}  // namespace optlab
