// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011): ten rounds of a keyed bijection on a 128-bit counter.
#pragma once
#include "portable.hpp"

namespace optlab {

/// Operations on 32-bit words kept in 64-bit places. Only the low half of a place counts; the high half may hold anything,
/// which lets a round use the full product as its low word and saves every mask.
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

/// Encrypts a counter; the low 32 bits of each returned place are the random word.
template <class W>
OPTLAB_HD PhiloxBlock<W> philox(PhiloxBlock<W> c, u64 key) {
  u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const W p0 = Wide<W>::multiply(c.word[0], 0xD2511F53u), p1 = Wide<W>::multiply(c.word[2], 0xCD9E8D57u);
    c.word[0] = (p1 >> 32) ^ c.word[1] ^ static_cast<u64>(k0);
    c.word[1] = p1;
    c.word[2] = (p0 >> 32) ^ c.word[3] ^ static_cast<u64>(k1);
    c.word[3] = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

}  // namespace optlab
