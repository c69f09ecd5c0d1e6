#include "norm_noise.hpp"

#include "scratch.hpp"
#include "spans.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

/// out = center + width u for one row of numbers u at this element; center may be null for 0.
template <class R, class Distribution>
void draw_around(R* out, const R* center, R width, R middle, i64 units, i64 element, const NoiseAddress& from) {
  constexpr i64 lanes = kLanes<R>;
  draw_elements<R, Distribution>(
      element + units, from.run, from.at,
      [=](i64 p, Pack<R> drawn) {
        const i64 i = p * lanes - element, n = std::min(lanes, units - i);
        const Pack<R> away = (drawn - middle) * width;
        store_part(out + i, center ? load_part(center + i, n) + away : away, n);
      },
      element);
}

}  // namespace

template <class R>
void add_norm_noise(R* y, i64 rows, i64 units, bool linear, const NormNoise& noise, const NoiseAddress& from,
                    int threads) {
  const i64 wide = noise_row(units);
  const R spread = static_cast<R>(noise.spread), half = R(0.5), zero = R(0);
  parallel(rows, worthwhile(threads, rows * units), [&](i64 begin, i64 end) {
    static thread_local Scratch<R> room;
    R *unit_m = room.get(static_cast<std::size_t>(4 * wide)), *unit_s = unit_m + wide, *m = unit_s + wide,
      *s = m + wide;
    draw_around<R, Uniform>(unit_m, nullptr, static_cast<R>(2 * noise.shift), half, units, from.base, from);
    draw_around<R, Uniform>(unit_s, nullptr, static_cast<R>(noise.scale - 1), zero, units, from.base + wide, from);
    for (i64 j = 0; j < units; ++j) unit_s[j] += R(1);
    for (i64 row = begin; row < end; ++row) {
      const i64 element = from.base + (2 + 2 * (from.first_row + row)) * wide;
      draw_around<R, Normal>(s, unit_s, spread, zero, units, element + wide, from);
      R* to = y + row * units;
      if (linear) {
        for (i64 j = 0; j < units; ++j) to[j] = to[j] * s[j];
        continue;
      }
      draw_around<R, Uniform>(m, unit_m, 2 * spread, half, units, element, from);
      for (i64 j = 0; j < units; ++j) to[j] = to[j] * s[j] + m[j];
    }
  });
}

template void add_norm_noise(float*, i64, i64, bool, const NormNoise&, const NoiseAddress&, int);
template void add_norm_noise(double*, i64, i64, bool, const NormNoise&, const NoiseAddress&, int);

}  // namespace optlab
