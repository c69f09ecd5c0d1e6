// Inverted dropout on a span, the mask drawn where it is used and stored nowhere.
#pragma once
#include "noise.hpp"
#include "spans.hpp"

namespace optlab {

/// An element is kept iff the upper 24 bits of its word, which are the uniform draw in float32, reach this: the draw is
/// a multiple of 2^-24, so it reaches p in [0, 1) iff it reaches the next such multiple.
inline u32 dropout_threshold(double p) {
  const double scaled = p * 16777216.0;
  const u32 whole = static_cast<u32>(scaled);
  return whole + (static_cast<double>(whole) < scaled);
}

/// The words of a pack's elements in its own places.
template <class R>
OPTLAB_HD Bits<Pack<R>> load_words(const u32* from) {
  if constexpr (sizeof(R) == 4) {
    PackU words;
    std::memcpy(&words, from, sizeof words);
    return words;
  } else {
    HalfPackU words;
    std::memcpy(&words, from, sizeof words);
    return __builtin_convertvector(words, PackW);
  }
}

/// y = keep_scale x where the element is kept, 0 x elsewhere; y may be x. The span begins at any element of the flat
/// array, and the words are those of the float layout whatever R is, so that both number types see the same masks.
template <class R>
OPTLAB_HD void dropout_span(R* y, const R* x, i64 first_element, i64 n, R keep_scale, u32 threshold, u32 run,
                            DrawAddress at) {
  constexpr i64 at_once = 256, padding = 4 * kBlocksAtOnce;
  alignas(kRegister) u32 words[at_once + padding];
  const Bits<Pack<R>> least = Bits<Pack<R>>{} + threshold;
  i64 skipped = first_element % 4;
  for (i64 block = first_element / 4; n > 0; block += at_once / 4, skipped = 0) {
    const i64 count = n < at_once - skipped ? n : at_once - skipped;
    draw_words(words, static_cast<u32>(block), (skipped + count + 3) / 4, run, at);
    for_packs<R>(count, [&](i64 i, auto in, auto out) {
      const auto kept = (load_words<R>(words + skipped + i) >> 8) >= least;
      out(y, in(x) * select<Pack<R>>(kept, splat(keep_scale), Pack<R>{}));
    });
    y += count;
    x += count;
    n -= count;
  }
}

/// The words of one block of four elements in every run.
template <class R>
OPTLAB_HD void draw_block_of_runs(Bits<Pack<R>>* words, u32 block, Bits<Pack<R>> run, DrawAddress at) {
  if constexpr (sizeof(R) == 4) {
    RandomWords<PackF>::draw_runs(words, block, run, at.step, at.stream, at.seed);
  } else {
    const auto p = philox_varying_second<PackW>(block, run, step_low(at.step), step_high(at.step, at.stream), at.seed);
    for (int i = 0; i < 4; ++i) words[i] = p.word[i] & 0xffffffffull;
  }
}

/// The same for runs in the lanes, elements first to first + n, in place.
template <class R>
void dropout_runs(Pack<R>* x, i64 first, i64 n, R keep_scale, u32 threshold, Bits<Pack<R>> run, DrawAddress at) {
  const Bits<Pack<R>> least = Bits<Pack<R>>{} + threshold;
  for (i64 i = 0; i < n;) {
    Bits<Pack<R>> words[4];
    draw_block_of_runs<R>(words, static_cast<u32>((first + i) / 4), run, at);
    for (i64 j = (first + i) % 4; j < 4 && i < n; ++j, ++i)
      x[i] = x[i] * select<Pack<R>>((words[j] >> 8) >= least, splat(keep_scale), Pack<R>{});
  }
}

/// All of an array, in `threads` threads.
template <class R>
void dropout(R* y, const R* x, i64 n, double p, u32 run, DrawAddress at, int threads);

}  // namespace optlab
