// Noise behind a normalization (Santurkar, Tsipras, Ilyas, Madry 2018): each step moves and scales every unit of a
// layer at random, each sample a little differently. Drawn where it is used and stored nowhere.
#pragma once
#include "noise.hpp"

namespace optlab {

/// y s + m with s = s_unit + spread xi, m = m_unit + spread u; s_unit uniform on [1, scale), m_unit and u on
/// [-shift, shift) and [-1, 1), xi normal.
struct NormNoise {
  double shift = 0, scale = 1, spread = 0;
  bool on() const { return shift > 0 || scale > 1 || spread > 0; }
};

/// The numbers of a layer stand in rows, one of uniform numbers for m_unit, one for s_unit, then two for each sample,
/// uniform for m and normal for s. Rows are this long: any instruction set draws whole packs of blocks.
inline i64 noise_row(i64 units) {
  constexpr i64 whole = 64;
  return (units + whole - 1) / whole * whole;
}

/// Where a layer's noise is drawn: from element `base` on, for samples from first_row on.
struct NoiseAddress {
  DrawAddress at;
  u32 run;
  i64 base, first_row;
};

/// y <- y s + m, or y s for what is linear in y, as gradients and derivatives in a direction are.
template <class R>
void add_norm_noise(R* y, i64 rows, i64 units, bool linear, const NormNoise& noise, const NoiseAddress& from,
                    int threads);

}  // namespace optlab
