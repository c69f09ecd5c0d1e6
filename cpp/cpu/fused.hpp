// The one operation of all products.
#pragma once
#include "pack.hpp"

namespace optlab {

/// a * b + c with one rounding. The baseline of x86 has no such instruction, so its products differ in the last bits.
template <class R>
OPTLAB_HD Pack<R> fused(Pack<R> a, Pack<R> b, Pack<R> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(R) == 4)
    return _mm512_fmadd_ps(a, b, c);
  else
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  if constexpr (sizeof(R) == 4)
    return _mm256_fmadd_ps(a, b, c);
  else
    return _mm256_fmadd_pd(a, b, c);
#elif defined(__x86_64__)
  return a * b + c;
#else
  for (int i = 0; i < kLanes<R>; ++i)
    c[i] = sizeof(R) == 4 ? __builtin_fmaf(a[i], b[i], c[i]) : __builtin_fma(a[i], b[i], c[i]);
  return c;
#endif
}

}  // namespace optlab
