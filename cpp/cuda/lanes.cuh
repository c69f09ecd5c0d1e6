// Numbers side by side in one access of 16 bytes, plain or dual, of matrices whose rows may not allow such accesses.
#pragma once
#include "cuda/grid.cuh"
#include "optlab/dual.hpp"

namespace optlab {

/// The numbers of one access; of dual ones, value and rate each.
template <class T>
struct Lanes {
  static constexpr int count = Vector<Real<T>>::lanes;
  T at[count];
};

/// How a thread reads: `width` of its lanes exist, all of them if `vectors`.
struct Access {
  bool vectors;
  int width;
};

/// Whether 16-byte accesses are allowed in all rows of matrices that begin there; null allows them.
template <class R, class... More>
OPTLAB_HD bool aligned_rows(i64 columns, const R* one, const More*... of) {
  return columns % Vector<R>::lanes == 0 && aligned(one) && (... && aligned(of));
}

/// The lanes of a row. `once`: they are not needed again, and leave the cache to others.
template <bool once, class R>
OPTLAB_HD Lanes<R> load_lanes(const R* from, const Access& as) {
  Lanes<R> out{};
  if (as.vectors) {
    const uint4* whole = reinterpret_cast<const uint4*>(from);
    const uint4 bits = once ? __ldcs(whole) : *whole;
    memcpy(out.at, &bits, sizeof bits);
  } else {
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      if (l < as.width) out.at[l] = from[l];
  }
  return out;
}
template <bool once, class R>
OPTLAB_HD void store_lanes(R* to, const Lanes<R>& value, const Access& as) {
  if (as.vectors) {
    uint4 bits;
    memcpy(&bits, value.at, sizeof bits);
    if (once)
      __stcs(reinterpret_cast<uint4*>(to), bits);
    else
      *reinterpret_cast<uint4*>(to) = bits;
  } else {
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      if (l < as.width) to[l] = value.at[l];
  }
}

/// A matrix, or numbers of its columns: with dual numbers, the rates are a matrix of their own (null: zeros).
template <class T>
struct Field {
  const T *v, *rates = nullptr;
  template <bool once>
  OPTLAB_HD Lanes<T> lanes(i64 at, const Access& as) const {
    return load_lanes<once>(v + at, as);
  }
  OPTLAB_HD T number(i64 column, T absent) const { return v ? v[column] : absent; }
};
template <class R>
struct Field<Dual<R>> {
  const R *v, *rates;
  template <bool once>
  OPTLAB_HD Lanes<Dual<R>> lanes(i64 at, const Access& as) const {
    const Lanes<R> value = load_lanes<once>(v + at, as);
    Lanes<R> rate{};
    if (rates) rate = load_lanes<once>(rates + at, as);
    Lanes<Dual<R>> out;
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) out.at[l] = {value.at[l], rate.at[l]};
    return out;
  }
  OPTLAB_HD Dual<R> number(i64 column, Dual<R> absent) const {
    return {v ? v[column] : absent.v, rates ? rates[column] : absent.d};
  }
};
OPTLAB_HD float wanted(float value) {
  return value;
}
OPTLAB_HD double wanted(double value) {
  return value;
}
/// What a pass writes: of dual numbers, the rates.
template <class R>
OPTLAB_HD R wanted(Dual<R> value) {
  return value.d;
}
/// A number that does not move.
template <class T>
OPTLAB_HD T constant(Real<T> value) {
  if constexpr (sizeof(T) == sizeof(Real<T>))
    return value;
  else
    return {value, Real<T>(0)};
}

}  // namespace optlab
