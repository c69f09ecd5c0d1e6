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

}  // namespace optlab
