// Packs: as many numbers as one register of this module's instruction set holds (GCC vector types), and what the
// portable headers need to know of them. Intrinsics stand only where the compiler finds no good code: sqrt and the
// widening product.
#pragma once
#include <cstring>

#include "optlab/random.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace optlab {

#if defined(__AVX512F__)
inline constexpr int kRegister = 64;
#elif defined(__AVX2__)
inline constexpr int kRegister = 32;
#else
inline constexpr int kRegister = 16;
#endif

typedef float PackF __attribute__((vector_size(kRegister)));
typedef double PackD __attribute__((vector_size(kRegister)));
typedef i32 PackI __attribute__((vector_size(kRegister)));
typedef u32 PackU __attribute__((vector_size(kRegister)));
typedef u64 PackW __attribute__((vector_size(kRegister)));
typedef u32 HalfPackU __attribute__((vector_size(kRegister / 2)));

/// Whether a lane of a mask is set.
template <class Mask>
OPTLAB_HD bool any_lane(Mask m) {
  unsigned long words[kRegister / sizeof(unsigned long)], found = 0;
  std::memcpy(words, &m, sizeof words);
  for (const unsigned long word : words) found |= word;
  return found != 0;
}

template <>
struct Number<PackF> {
  using Real = float;
  using Bits = PackU;
  using Mask = decltype(PackF{} < PackF{});
  static constexpr int lanes = kRegister / 4, words = 4;
  static OPTLAB_HD PackU bits(PackF x) { return (PackU)x; }
  static OPTLAB_HD PackF from_bits(PackU b) { return (PackF)b; }
  static OPTLAB_HD PackF splat(float x) { return PackF{} + x; }
  static OPTLAB_HD PackF select(Mask m, PackF a, PackF b) { return m ? a : b; }
  static OPTLAB_HD bool any(Mask m) { return any_lane(m); }
  static OPTLAB_HD PackF from_signed(PackU b) { return __builtin_convertvector((PackI)b, PackF); }
  static OPTLAB_HD PackF sqrt(PackF x) {
#if defined(__AVX512F__)
    return _mm512_maskz_sqrt_ps(0xffff, x);  // the plain one makes GCC 12 warn of its own header
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#elif defined(__x86_64__)
    return _mm_sqrt_ps(x);
#else
    for (int i = 0; i < lanes; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
  }
};

template <>
struct Number<PackD> {
  using Real = double;
  using Bits = PackW;
  using Mask = decltype(PackD{} < PackD{});
  static constexpr int lanes = kRegister / 8, words = 2;
  static OPTLAB_HD PackW bits(PackD x) { return (PackW)x; }
  static OPTLAB_HD PackD from_bits(PackW b) { return (PackD)b; }
  static OPTLAB_HD PackD splat(double x) { return PackD{} + x; }
  static OPTLAB_HD PackD select(Mask m, PackD a, PackD b) { return m ? a : b; }
  static OPTLAB_HD bool any(Mask m) { return any_lane(m); }
  static OPTLAB_HD PackD sqrt(PackD x) {
#if defined(__AVX512F__)
    return _mm512_maskz_sqrt_pd(0xff, x);
#elif defined(__AVX2__)
    return _mm256_sqrt_pd(x);
#elif defined(__x86_64__)
    return _mm_sqrt_pd(x);
#else
    for (int i = 0; i < lanes; ++i) x[i] = __builtin_sqrt(x[i]);
    return x;
#endif
  }
};

template <>
struct Wide<PackW> {
  static OPTLAB_HD PackW multiply(PackW a, u32 m) {
    const PackW factor = PackW{} + m;
#if defined(__AVX512F__)
    return (PackW)_mm512_mul_epu32((__m512i)a, (__m512i)factor);
#elif defined(__AVX2__)
    return (PackW)_mm256_mul_epu32((__m256i)a, (__m256i)factor);
#elif defined(__x86_64__)
    return (PackW)_mm_mul_epu32((__m128i)a, (__m128i)factor);
#else
    return (a & 0xffffffffull) * factor;
#endif
  }
};

/// The first 64-bit places of every 128 bits of a and b in turns; the second ones.
OPTLAB_HD PackW first_places(PackW a, PackW b) {
#if defined(__AVX512F__)
  return (PackW)_mm512_unpacklo_epi64((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (PackW)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
#else
  for (int i = 1; i < kRegister / 8; i += 2) a[i] = b[i - 1];
  return a;
#endif
}
OPTLAB_HD PackW second_places(PackW a, PackW b) {
#if defined(__AVX512F__)
  return (PackW)_mm512_unpackhi_epi64((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (PackW)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#else
  for (int i = 1; i < kRegister / 8; i += 2) b[i - 1] = a[i];
  return b;
#endif
}

template <>
struct RandomWords<PackD> {
  static OPTLAB_HD void draw(PackW* out, PackW block, PackW run, u64 step, u32 stream, u64 seed) {
    join(out, philox<PackW>({{block, run, PackW{} + step_low(step), PackW{} + step_high(step, stream)}}, seed));
  }
  /// One block of every run in the lanes.
  static OPTLAB_HD void draw_runs(PackW* out, u32 block, PackW run, u64 step, u32 stream, u64 seed) {
    join(out, philox_varying_second(block, run, step_low(step), step_high(step, stream), seed));
  }

 private:
  static OPTLAB_HD void join(PackW* out, PhiloxBlock<PackW> p) {
    for (int i = 0; i < 2; ++i) out[i] = (p.word[2 * i] << 32) | (p.word[2 * i + 1] & 0xffffffffull);
  }
};

/// The 32-bit lanes go through as two sets of 64-bit places, even and odd, and are woven together at the end.
template <>
struct RandomWords<PackF> {
  static OPTLAB_HD void draw(PackU* out, PackU block, PackU run, u64 step, u32 stream, u64 seed) {
    const PackW low = PackW{} + step_low(step), high = PackW{} + step_high(step, stream);
    weave(out, philox<PackW>({{(PackW)block, (PackW)run, low, high}}, seed),
          philox<PackW>({{(PackW)block >> 32, (PackW)run >> 32, low, high}}, seed));
  }
  static OPTLAB_HD void draw_runs(PackU* out, u32 block, PackU run, u64 step, u32 stream, u64 seed) {
    const u32 low = step_low(step), high = step_high(step, stream);
    weave(out, philox_varying_second(block, (PackW)run, low, high, seed),
          philox_varying_second(block, (PackW)run >> 32, low, high, seed));
  }

 private:
  static OPTLAB_HD void weave(PackU* out, PhiloxBlock<PackW> even, PhiloxBlock<PackW> odd) {
    for (int i = 0; i < 4; ++i) out[i] = (PackU)((even.word[i] & 0xffffffffull) | (odd.word[i] << 32));
  }
};

template <class R>
struct PackOf;
template <>
struct PackOf<float> {
  using type = PackF;
};
template <>
struct PackOf<double> {
  using type = PackD;
};
template <class R>
using Pack = typename PackOf<R>::type;
template <class R>
inline constexpr int kLanes = Number<Pack<R>>::lanes;
template <class R>
using LaneMask = typename Number<Pack<R>>::Mask;

template <class R>
OPTLAB_HD Pack<R> load(const R* from) {
  Pack<R> p;
  std::memcpy(&p, from, sizeof p);
  return p;
}
template <class R>
OPTLAB_HD void store(R* to, Pack<R> p) {
  std::memcpy(to, &p, sizeof p);
}
/// The first n numbers, zeros behind. Under a mask where there are masks: copied through memory, a part would take as
/// long as the rest of a short row.
template <class R>
OPTLAB_HD Pack<R> load_part(const R* from, i64 n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(R) == 4)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), from);
#else
  Pack<R> p{};
  std::memcpy(&p, from, static_cast<unsigned long>(n) * sizeof(R));
  return p;
#endif
}
template <class R>
OPTLAB_HD void store_part(R* to, Pack<R> p, i64 n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(R) == 4)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), p);
  else
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << n) - 1), p);
#else
  std::memcpy(to, &p, static_cast<unsigned long>(n) * sizeof(R));
#endif
}
template <class R>
OPTLAB_HD Pack<R> splat(R x) {
  return Number<Pack<R>>::splat(x);
}
/// 0, 1, 2, ... in the lanes of a pack of bits.
template <class R>
OPTLAB_HD Bits<Pack<R>> lane_numbers() {
  Bits<Pack<R>> b{};
  for (int i = 0; i < kLanes<R>; ++i) b[i] = static_cast<Bits<R>>(i);
  return b;
}

/// Weaving: packs that hold word 0, word 1, ... of one block in each lane become packs of consecutive words, when the
/// lanes' blocks are numbered like this. Every 128 bits of the register then are transposed by themselves.
template <class R>
OPTLAB_HD Bits<Pack<R>> woven_blocks() {
  constexpr int words = Number<Pack<R>>::words;
  Bits<Pack<R>> b{};
  for (int i = 0; i < kLanes<R>; ++i) b[i] = static_cast<Bits<R>>(i / words + i % words * (kLanes<R> / words));
  return b;
}
OPTLAB_HD void weave(PackW* word) {
  const PackW a = word[0], b = word[1];
  word[0] = first_places(a, b);
  word[1] = second_places(a, b);
}
OPTLAB_HD void weave(PackU* word) {
  const u64 low = 0xffffffffull;
  const PackW a = (PackW)word[0], b = (PackW)word[1], c = (PackW)word[2], d = (PackW)word[3];
  PackW even[2] = {(a & low) | (b << 32), (c & low) | (d << 32)};
  PackW odd[2] = {(a >> 32) | (b & ~low), (c >> 32) | (d & ~low)};
  weave(even);
  weave(odd);
  for (int half = 0; half < 2; ++half) {
    word[2 * half] = (PackU)even[half];
    word[2 * half + 1] = (PackU)odd[half];
  }
}

}  // namespace optlab
