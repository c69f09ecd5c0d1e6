// Stores that go past the caches, which then keep what is read twice, and no line is read to be overwritten.
#pragma once
#include "pack.hpp"

namespace optlab {

/// Outputs of so many bytes are written past the caches; what is smaller is likely to be found there by its reader.
inline constexpr i64 kStreamBytes = 8 << 20;

/// Stores a pack, past the caches if told so; `to` must then be aligned to a pack.
template <bool past, class P>
OPTLAB_HD void store_past(Real<P>* to, P p) {
#if defined(__AVX512F__)
  if constexpr (past) return _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)p);
#elif defined(__AVX2__)
  if constexpr (past) return _mm256_stream_si256(reinterpret_cast<__m256i*>(to), (__m256i)p);
#elif defined(__x86_64__)
  if constexpr (past) return _mm_stream_si128(reinterpret_cast<__m128i*>(to), (__m128i)p);
#endif
  std::memcpy(to, &p, sizeof p);
}

/// Makes what was stored past the caches visible to whoever is told of it.
inline void end_of_stream() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace optlab
