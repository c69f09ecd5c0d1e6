#include "quantized.hpp"

#include <algorithm>
#include <type_traits>

#include "optlab/quantize.hpp"
#include "optlab/updates/adam.hpp"
#include "spans.hpp"

namespace optlab {
namespace {

constexpr i64 kBlock = kQuantizedBlock, kLane = kLanes<float>;
typedef unsigned char Bytes __attribute__((vector_size(kLanes<float>)));

// One byte to each lane and back: intrinsics, because GCC converts one lane after the other.
OPTLAB_HD PackU widen(Bytes bytes) {
#if defined(__AVX512F__)
  return (PackU)_mm512_cvtepu8_epi32((__m128i)bytes);
#elif defined(__AVX2__)
  return (PackU)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
#elif defined(__x86_64__)
  return (PackU)_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)bytes));
#else
  return __builtin_convertvector(bytes, PackU);
#endif
}

OPTLAB_HD Bytes narrow(PackU codes) {
#if defined(__AVX512F__)
  return (Bytes)_mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)codes);
#elif defined(__AVX2__)
  const __m128i low = _mm256_castsi256_si128((__m256i)codes), high = _mm256_extracti128_si256((__m256i)codes, 1);
  const __m128i words = _mm_packus_epi32(low, high);
  return (Bytes)_mm_cvtsi128_si64(_mm_packus_epi16(words, words));
#elif defined(__x86_64__)
  const __m128i words = _mm_packus_epi32((__m128i)codes, (__m128i)codes);
  return (Bytes)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
#else
  return __builtin_convertvector(codes, Bytes);
#endif
}

OPTLAB_HD PackU load_codes(const unsigned char* from, i64 n) {
  Bytes bytes{};
  std::memcpy(&bytes, from, static_cast<std::size_t>(n));
  return widen(bytes);
}

OPTLAB_HD void store_codes(unsigned char* to, PackU codes, i64 n) {
  const Bytes bytes = narrow(codes);
  std::memcpy(to, &bytes, static_cast<std::size_t>(n));
}

}  // namespace

template <>
OPTLAB_HD PackU larger<PackU>(PackU a, PackU b) {
#if defined(__AVX512F__)
  return (PackU)_mm512_maskz_max_epu32(0xffff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (PackU)_mm256_max_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (PackU)_mm_max_epu32((__m128i)a, (__m128i)b);
#else
  return a > b ? a : b;
#endif
}

template <>
OPTLAB_HD PackU not_below_zero<PackU>(PackU x) {
#if defined(__AVX512F__)
  return (PackU)_mm512_maskz_max_epi32(0xffff, (__m512i)x, __m512i{});
#elif defined(__AVX2__)
  return (PackU)_mm256_max_epi32((__m256i)x, __m256i{});
#elif defined(__x86_64__)
  return (PackU)_mm_max_epi32((__m128i)x, __m128i{});
#else
  return (PackI)x > 0 ? x : PackU{};
#endif
}

namespace {

/// The largest magnitude of any lane as a scale. Bits are compared: NaN, whose bits are largest of all, wins.
float scale_of(PackU worst) {
  u32 most = 0;
  for (int l = 0; l < kLane; ++l) most = std::max<u32>(most, worst[l]);
  return block_scale(Number<float>::from_bits(most & 0x7fffffffu));
}

using First = FirstCode<PackF>;
using Second = SecondCode<PackF>;

/// The two averages of up to one block. Passed by value: a store of bytes might reach what a reference names.
struct Block {
  unsigned char* codes[2];
  float* scales[2];
  float* values[2];
  i64 n;
};

void decode_block(const Block b) {
  const float first = *b.scales[0], second = *b.scales[1];
  each_pack<float>(b.n, [&](i64 i, auto count) {
    store_part(b.values[0] + i, First::decode(load_codes(b.codes[0] + i, count)) * first, count);
    store_part(b.values[1] + i, Second::decode(load_codes(b.codes[1] + i, count)) * second, count);
  });
}

/// The largest magnitudes of the two averages so far, as bits: NaN, whose bits are largest of all, wins.
struct Largest {
  PackU first{}, second{};
  OPTLAB_HD void see(PackF m, PackF v) {
    first = larger(first, (PackU)m & 0x7fffffffu);
    second = larger(second, (PackU)v);
  }
  void store(const Block& b) const {
    *b.scales[0] = scale_of(first);
    *b.scales[1] = scale_of(second);
  }
};

void find_scales(const Block b) {
  Largest largest;
  each_pack<float>(b.n, [&](i64 i, auto count) {
    largest.see(load_part(b.values[0] + i, count), load_part(b.values[1] + i, count));
  });
  largest.store(b);
}

/// Encodes pack after pack of a block, with dithers from this hash seed on, or to the nearest code, which finds again
/// the bytes of numbers that bytes stand for.
template <bool nearest>
struct Encoder {
  Encoder(const Block& block, PackU seed_of_block)
      : b(block), first(reciprocal(*b.scales[0])), second(reciprocal(*b.scales[1])), seed(seed_of_block) {}
  template <class Count>
  OPTLAB_HD void pack(i64 i, Count count) {
    const PackF y = load_part(b.values[0] + i, count) * first, z = load_part(b.values[1] + i, count) * second;
    const PackU hash = mixed<PackU>(seed);
    store_codes(b.codes[0] + i, First::encode(y, nearest ? First::nearest() : First::dither(hash)), count);
    store_codes(b.codes[1] + i, Second::encode(z, nearest ? Second::nearest() : Second::dither(hash)), count);
    seed = seed + static_cast<u32>(kLane) * kElementStep;
  }
  const Block b;
  const float first, second;
  PackU seed;
};

template <bool nearest>
void encode_block(const Block b, PackU seed = PackU{}) {
  Encoder<nearest> encoder(b, seed);
  each_pack<float>(b.n, [&](i64 i, auto count) { encoder.pack(i, count); });
}

PackU seed_from(i64 element, StepAddress at) {
  return hash_seed<PackU>(lane_numbers<float>() + static_cast<u32>(element), PackU{} + at.run, at.step);
}

/// Adam on one block: the averages come from bytes, and go to b.values. A whole block before it is encoded in the same
/// loop, since the one waits for the divider and the other does not use it.
template <u32 flags, bool encoding>
void update_block(float* x, const float* g, const Block b, const PackF* constants, const Block before, PackU seed) {
  constexpr int count_of_constants = Around::constants + Adam<false>::constants;
  PackF c[count_of_constants];
  for (int k = 0; k < count_of_constants; ++k) c[k] = constants[k];
  const float first = *b.scales[0], second = *b.scales[1];
  Encoder<false> encoder(encoding ? before : b, seed);
  Largest largest;
  each_pack<float>(b.n, [&](i64 i, auto count) {
    PackF s[2] = {First::decode(load_codes(b.codes[0] + i, count)) * first,
                  Second::decode(load_codes(b.codes[1] + i, count)) * second};
    PackF pack = load_part(x + i, count);
    update_element<Adam<false>, PackF>(pack, load_part(g + i, count), s, c, flags);
    store_part(x + i, pack, count);
    for (int k = 0; k < 2; ++k) store_part(b.values[k] + i, s[k], count);
    largest.see(s[0], s[1]);
    if constexpr (encoding) encoder.pack(i, count);
  });
  largest.store(b);
}

using UpdateBlock = void (*)(float*, const float*, Block, const PackF*, Block, PackU);
template <bool encoding>
UpdateBlock update_block_for(u32 flags) {
  if (flags & kRare) return &update_block<kWeightDecay | kGuard | kRare, encoding>;
  switch (flags & (kWeightDecay | kGuard)) {
    case 0:
      return &update_block<0, encoding>;
    case kWeightDecay:
      return &update_block<kWeightDecay, encoding>;
    case kGuard:
      return &update_block<kGuard, encoding>;
    default:
      return &update_block<kWeightDecay | kGuard, encoding>;
  }
}

template <class Visit>
void each_block(i64 n, Visit visit) {
  for (i64 begin = 0; begin < n; begin += kBlock) visit(begin, std::min(kBlock, n - begin));
}

}  // namespace

void update_quantized(float* x, const float* g, const QuantizedStates& states, i64 first, i64 from, i64 to,
                      const PackF* constants, u32 flags, StepAddress at) {
  constexpr i64 ahead = 4 * kBlock;
  alignas(64) float values[2][2][kBlock];  // of this block and of the one before
  const UpdateBlock update = update_block_for<false>(flags), update_and_encode = update_block_for<true>(flags);
  const auto block = [&](i64 begin) {
    const i64 number = begin / kBlock;
    return Block{{states.codes[0] + begin, states.codes[1] + begin},
                 {states.scales[0] + number, states.scales[1] + number},
                 {values[number % 2][0], values[number % 2][1]},
                 std::min(kBlock, to - begin)};
  };
  i64 begin = from;
  for (; begin < to; begin += kBlock) {
    const Block b = block(begin), before = begin > from ? block(begin - kBlock) : b;
    for (i64 i = 0; i < b.n; i += 16) {
      __builtin_prefetch(x + begin + ahead + i, 1);
      __builtin_prefetch(g + begin + ahead + i, 0);
    }
    const PackU seed = seed_from(first + begin - kBlock, at);
    const bool together = begin > from && b.n == kBlock;
    (together ? update_and_encode : update)(x + begin, g + begin, b, constants, before, seed);
    if (begin > from && !together) encode_block<false>(before, seed);
  }
  if (begin > from) encode_block<false>(block(begin - kBlock), seed_from(first + begin - kBlock, at));
}

void round_elements(float* const* states, i64 first, i64 n, StepAddress at) {
  each_block(n, [&](i64 b, i64 count) {
    unsigned char codes[2][kBlock];
    float scales[2];
    const Block block{{codes[0], codes[1]}, {&scales[0], &scales[1]}, {states[0] + b, states[1] + b}, count};
    find_scales(block);
    encode_block<false>(block, seed_from(first + b, at));
    decode_block(block);
  });
}

void round_runs(PackF* const* states, i64 first, i64 n, StepAddress at) {
  const PackU run = lane_numbers<float>() + at.run;
  each_block(
      n, [&](i64 b, i64 count) { round_block<PackF>(states[0] + b, states[1] + b, first + b, count, run, at.step); });
}

void encode_exactly(const QuantizedStates& out, float* const* states, i64 n) {
  each_block(n, [&](i64 b, i64 count) {
    const i64 k = b / kBlock;
    const Block block{{out.codes[0] + b, out.codes[1] + b},
                      {out.scales[0] + k, out.scales[1] + k},
                      {states[0] + b, states[1] + b},
                      count};
    find_scales(block);
    encode_block<true>(block);
  });
}

void decode(float* const* out, const QuantizedStates& states, i64 n) {
  each_block(n, [&](i64 b, i64 count) {
    const i64 k = b / kBlock;
    decode_block({{states.codes[0] + b, states.codes[1] + b},
                  {states.scales[0] + k, states.scales[1] + k},
                  {out[0] + b, out[1] + b},
                  count});
  });
}

}  // namespace optlab
