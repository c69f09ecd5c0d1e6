// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011): ten rounds of a keyed bijection on a 128-bit counter.
#pragma once
#include "portable.hpp"

namespace optlab {

/// Operations on 32-bit words kept in 64-bit places. Only the low half of a place counts; the high half may hold
/// anything, which lets a round use the full product as its low word and saves every mask.
template <class W>
struct Wide;

template <>
struct Wide<u64> {
  static OPTLAB_HD u64 multiply(u64 a, u32 m) { return (a & 0xffffffffull) * m; }
};

template <class W>
struct PhiloxBlock {
  W word[4];
};

inline constexpr u32 kPhiloxM0 = 0xD2511F53u, kPhiloxM1 = 0xCD9E8D57u, kPhiloxW0 = 0x9E3779B9u, kPhiloxW1 = 0xBB67AE85u;

/// Rounds first, ..., 9 of the ten.
template <class W>
OPTLAB_HD PhiloxBlock<W> philox_rounds(PhiloxBlock<W> c, u64 key, u32 first) {
  u32 k0 = static_cast<u32>(key) + first * kPhiloxW0, k1 = static_cast<u32>(key >> 32) + first * kPhiloxW1;
  OPTLAB_UNROLL(10)
  for (u32 round = first; round < 10; ++round) {
    const W p0 = Wide<W>::multiply(c.word[0], kPhiloxM0), p1 = Wide<W>::multiply(c.word[2], kPhiloxM1);
    c.word[0] = (p1 >> 32) ^ c.word[1] ^ static_cast<u64>(k0);
    c.word[1] = p1;
    c.word[2] = (p0 >> 32) ^ c.word[3] ^ static_cast<u64>(k1);
    c.word[3] = p0;
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  return c;
}

/// Encrypts a counter; the low 32 bits of each returned place are the random word.
template <class W>
OPTLAB_HD PhiloxBlock<W> philox(PhiloxBlock<W> counter, u64 key) {
  return philox_rounds(counter, key, 0);
}

/// The counters (a, b, c, d) for many a at once: what a has not reached yet in the first two rounds is scalar work.
template <class W>
OPTLAB_HD PhiloxBlock<W> philox_varying_first(W a, u32 b, u32 c, u32 d, u64 key) {
  const u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
  const u64 low_half = 0xffffffffull;
  const W first0 = Wide<W>::multiply(a, kPhiloxM0);
  const u64 first1 = static_cast<u64>(c) * kPhiloxM1;
  const u64 second0 = ((first1 >> 32) ^ b ^ k0) * kPhiloxM0;
  const W second1 = Wide<W>::multiply((first0 >> 32) ^ static_cast<u64>(d ^ k1), kPhiloxM1);
  return philox_rounds<W>({{(second1 >> 32) ^ ((first1 & low_half) ^ (k0 + kPhiloxW0)), second1,
                            first0 ^ ((second0 >> 32) ^ (k1 + kPhiloxW1)), W{} + second0}},
                          key, 2);
}

/// The counters (a, b, c, d) for many b at once: what b has not reached yet in the first three rounds is scalar work.
template <class W>
OPTLAB_HD PhiloxBlock<W> philox_varying_second(u32 a, W b, u32 c, u32 d, u64 key) {
  const u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
  const u64 low_half = 0xffffffffull;
  const u64 first0 = static_cast<u64>(a) * kPhiloxM0, first1 = static_cast<u64>(c) * kPhiloxM1;
  const u64 second1 = ((first0 >> 32) ^ d ^ k1) * kPhiloxM1;
  const W second0 = Wide<W>::multiply(b ^ ((first1 >> 32) ^ k0), kPhiloxM0);
  const u64 third0 = ((second1 >> 32) ^ (first1 & low_half) ^ (k0 + kPhiloxW0)) * kPhiloxM0;
  const W third1 = Wide<W>::multiply((second0 >> 32) ^ ((first0 & low_half) ^ (k1 + kPhiloxW1)), kPhiloxM1);
  return philox_rounds<W>({{(third1 >> 32) ^ ((second1 & low_half) ^ (k0 + 2 * kPhiloxW0)), third1,
                            second0 ^ ((third0 >> 32) ^ (k1 + 2 * kPhiloxW1)), W{} + third0}},
                          key, 3);
}

}  // namespace optlab
