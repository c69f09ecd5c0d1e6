// Two moving averages in a byte each: an eighth of a binade times the largest magnitude of a block of 256 (after
// Dettmers, Lewis, Shleifer and Zettlemoyer 2022). The code is a small floating-point number and is computed by
// shifting the bits of a float, where their table of quantiles has to be searched:
//   first    sign, 4 bits of exponent, 3 of mantissa:   0 and 1.25 * 2^-16 ... 1
//   second   5 bits of exponent, 3 of mantissa:         1.125 * 2^-32 ... 1; what is below rounds up, since it stands
//                                                       under the gradient, unless the whole block is 0
// Rounding is dithered: up with the probability of the fraction, so that what changes by less than a step is not stuck.
#pragma once
#include "portable.hpp"

namespace optlab {

inline constexpr int kQuantizedBlock = 256;

/// max(x, 0) of words read as signed; packs have an instruction for it.
template <class B>
OPTLAB_HD B not_below_zero(B x) {
  return x & (0x80000000u & x ? B{} : ~B{});
}

template <class B>
OPTLAB_HD B larger(B a, B b) {
  return a > b ? a : b;
}

/// encode: y in [-1, 1] and the dither made for this code. decode: a code below 256. The largest of a block, which is 1
/// or the number before it, always becomes the topmost code, because no dither is 0.
template <class T>
struct FirstCode {
  using B = Bits<T>;
  static constexpr u32 top = 127, lift = (127u << 3) - top, sign = 0x80;
  static OPTLAB_HD B dither(B hash) { return (hash >> 12) | (0u - (lift << 20) + 1u); }
  static OPTLAB_HD B nearest() { return B{} + (0u - (lift << 20) + (1u << 19)); }
  static OPTLAB_HD B encode(T y, B dither) {
    const B bits = Number<T>::bits(y);
    return (not_below_zero<B>((bits & 0x7fffffffu) + dither) >> 20) | ((bits >> 24) & sign);
  }
  static OPTLAB_HD T decode(B code) {
    const B magnitude = code & top;
    return Number<T>::from_bits((magnitude != 0u ? (magnitude + lift) << 20 : B{}) | ((code & sign) << 24));
  }
};

template <class T>
struct SecondCode {
  using B = Bits<T>;
  static constexpr u32 top = 255, lift = (127u << 3) - top;
  static OPTLAB_HD B dither(B hash) { return (hash & 0xfffffu) | (0u - (lift << 20) + 1u); }
  static OPTLAB_HD B nearest() { return B{} + (0u - (lift << 20) + (1u << 19)); }
  static OPTLAB_HD B encode(T y, B dither) { return not_below_zero<B>(Number<T>::bits(y) + dither) >> 20; }
  static OPTLAB_HD T decode(B code) { return Number<T>::from_bits((code + lift) << 20); }
};

/// A hash of element, run and step, whose upper and lower 20 bits dither the two averages. An evenly spread sequence
/// would not do: what a rounding made of the last value decides on the next one, and the mean would drift.
template <class B>
OPTLAB_HD B mixed(B h) {
  h = (h ^ (h >> 16)) * 0x7feb352du;
  return h ^ (h >> 15);
}
inline constexpr u32 kElementStep = 0x9e3779b9u;
/// What an element's hash is mixed from; that of the next element is kElementStep more.
template <class B>
OPTLAB_HD B hash_seed(B element, B run, u64 step) {
  return element * kElementStep + run * 0x85ebca6bu + mixed<u32>(static_cast<u32>(step));
}

/// What a block with this largest magnitude is divided by; below 2^-90, where products would lose bits, it is nothing.
template <class T>
OPTLAB_HD T block_scale(T largest) {
  return select<T>(largest < Real<T>(8.077935669463161e-28), T{}, largest);
}
template <class T>
OPTLAB_HD T reciprocal(T scale) {
  return select<T>(scale == T{}, T{}, Real<T>(1) / scale);
}

/// The scales of a block's two averages. Bits are compared: NaN, whose bits are largest of all, wins.
template <class T>
OPTLAB_HD void find_scales(T* scales, const T* first, const T* second, i64 n) {
  Bits<T> most[2] = {};
  for (i64 i = 0; i < n; ++i) {
    most[0] = larger<Bits<T>>(most[0], Number<T>::bits(first[i]) & 0x7fffffffu);
    most[1] = larger<Bits<T>>(most[1], Number<T>::bits(second[i]) & 0x7fffffffu);
  }
  for (int k = 0; k < 2; ++k) scales[k] = block_scale(Number<T>::from_bits(most[k]));
}

/// Replaces a block's two averages by what their bytes would stand for; `number` is that of its first element.
template <class T>
OPTLAB_HD void round_block(T* first, T* second, i64 number, i64 n, Bits<T> run, u64 step) {
  T scales[2];
  find_scales(scales, first, second, n);
  const T inverse[2] = {reciprocal(scales[0]), reciprocal(scales[1])};
  for (i64 i = 0; i < n; ++i) {
    const Bits<T> element = Bits<T>{} + static_cast<u32>(number + i);
    const Bits<T> hash = mixed<Bits<T>>(hash_seed<Bits<T>>(element, run, step));
    first[i] =
        FirstCode<T>::decode(FirstCode<T>::encode(first[i] * inverse[0], FirstCode<T>::dither(hash))) * scales[0];
    second[i] =
        SecondCode<T>::decode(SecondCode<T>::encode(second[i] * inverse[1], SecondCode<T>::dither(hash))) * scales[1];
  }
}

}  // namespace optlab
