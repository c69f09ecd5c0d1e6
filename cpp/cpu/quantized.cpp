#include "quantized.hpp"

#include <algorithm>
#include <type_traits>

#include "optlab/quantize.hpp"

namespace optlab {
namespace {

constexpr i64 kBlock = kQuantizedBlock, kLane = kLanes<float>;
typedef unsigned char Bytes __attribute__((vector_size(kLanes<float>)));

/// Calls visit(i, count) for the packs of n elements. The count of all but the last is a constant of the compiler.
template <class Visit>
OPTLAB_HD void each_pack(i64 n, Visit visit) {
  i64 i = 0;
  for (; i + kLane <= n; i += kLane) visit(i, std::integral_constant<i64, kLane>{});
  if (i < n) visit(i, n - i);
}

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

OPTLAB_HD PackU larger(PackU a, PackU b) {
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

OPTLAB_HD PackU smaller(PackU a, PackU b) {
#if defined(__AVX512F__)
  return (PackU)_mm512_maskz_min_epu32(0xffff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (PackU)_mm256_min_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (PackU)_mm_min_epu32((__m128i)a, (__m128i)b);
#else
  return a < b ? a : b;
#endif
}

}  // namespace

template <>
struct Saturate<PackU> {
  static OPTLAB_HD PackU subtract(PackU key, u32 lift) { return larger(key, PackU{} + lift) - lift; }
  static OPTLAB_HD PackU limit(PackU code, u32 top) { return smaller(code, PackU{} + top); }
};

namespace {

/// The largest magnitudes, as bits: NaN, whose bits are largest of all, wins.
OPTLAB_HD PackU magnitudes(PackU worst, PackF x) {
  return larger(worst, (PackU)x & 0x7fffffffu);
}

float scale_of(PackU worst) {
  u32 most = 0;
  for (int l = 0; l < kLane; ++l) most = std::max<u32>(most, worst[l]);
  return block_scale(Number<float>::from_bits(most));
}

using First = FirstCode<PackF>;
using Second = SecondCode<PackF>;

/// The two averages of up to one block.
struct Block {
  unsigned char* codes[2];
  float* scales[2];
  float* values[2];
  i64 n;
};

void decode_block(const Block b) {  // by value: a store of bytes might reach what a reference names
  const float first = *b.scales[0], second = *b.scales[1];
  each_pack(b.n, [&](i64 i, auto count) {
    store_part(b.values[0] + i, First::decode(load_codes(b.codes[0] + i, count)) * first, count);
    store_part(b.values[1] + i, Second::decode(load_codes(b.codes[1] + i, count)) * second, count);
  });
}

/// Encodes with the dither of the pack `at` and those behind it, or to the nearest code, which finds again the bytes of
/// numbers that bytes stand for.
template <bool nearest>
void encode_block(const Block b, PackU at = PackU{}) {
  PackU worst[2] = {};
  each_pack(b.n, [&](i64 i, auto count) {
    for (int k = 0; k < 2; ++k) worst[k] = magnitudes(worst[k], load_part(b.values[k] + i, count));
  });
  for (int k = 0; k < 2; ++k) *b.scales[k] = scale_of(worst[k]);
  const float first = reciprocal(*b.scales[0]), second = reciprocal(*b.scales[1]);
  const PackU half = PackU{} + (1u << 19);
  each_pack(b.n, [&](i64 i, auto count) {
    const PackF y = load_part(b.values[0] + i, count) * first, z = load_part(b.values[1] + i, count) * second;
    const PackU hash = Dither<PackU>::mixed(at);
    store_codes(b.codes[0] + i, First::encode(y, nearest ? half : Dither<PackU>::first(hash)), count);
    store_codes(b.codes[1] + i, Second::encode(z, nearest ? half : Dither<PackU>::second(hash)), count);
    at = at + static_cast<u32>(kLane) * Dither<PackU>::element_step;
  });
}

PackU dither_from(i64 element, StepAddress at) {
  return Dither<PackU>::at(lane_numbers<float>() + static_cast<u32>(element), PackU{} + at.run, at.step);
}

template <class Visit>
void each_block(i64 n, Visit visit) {
  for (i64 begin = 0; begin < n; begin += kBlock) visit(begin, std::min(kBlock, n - begin));
}

}  // namespace

void update_quantized(const Rule<float>& rule, float* x, const float* g, const QuantizedStates& states, i64 first,
                      i64 from, i64 to, const PackF* constants, u32 flags, StepAddress at) {
  constexpr i64 piece = 2 * kBlock;
  alignas(64) float decoded[2][piece];
  float* const averages[2] = {decoded[0], decoded[1]};
  for (i64 begin = from; begin < to; begin += piece) {
    const i64 n = std::min(piece, to - begin);
    const auto block = [&](i64 b, i64 count) {
      const i64 element = begin + b, number = element / kBlock;
      return Block{{states.codes[0] + element, states.codes[1] + element},
                   {states.scales[0] + number, states.scales[1] + number},
                   {decoded[0] + b, decoded[1] + b},
                   count};
    };
    for (i64 i = 0; i < n; i += 16) {  // what comes after the next piece is asked for while this one is worked on
      __builtin_prefetch(x + begin + 2 * piece + i, 1);
      __builtin_prefetch(g + begin + 2 * piece + i, 0);
    }
    each_block(n, [&](i64 b, i64 count) { decode_block(block(b, count)); });
    rule.update(x + begin, g + begin, averages, n, constants, flags);
    each_block(n, [&](i64 b, i64 count) { encode_block<false>(block(b, count), dither_from(first + begin + b, at)); });
  }
}

void round_elements(float* const* states, i64 first, i64 n, StepAddress at) {
  each_block(n, [&](i64 b, i64 count) {
    unsigned char codes[2][kBlock];
    float scales[2];
    const Block block{{codes[0], codes[1]}, {&scales[0], &scales[1]}, {states[0] + b, states[1] + b}, count};
    encode_block<false>(block, dither_from(first + b, at));
    decode_block(block);
  });
}

void round_runs(PackF* const* states, i64 first, i64 n, StepAddress at) {
  const PackU run = lane_numbers<float>() + at.run;
  each_block(n, [&](i64 b, i64 count) {
    PackU worst[2] = {};
    for (i64 i = b; i < b + count; ++i)
      for (int k = 0; k < 2; ++k) worst[k] = magnitudes(worst[k], states[k][i]);
    const PackF scale[2] = {block_scale((PackF)worst[0]), block_scale((PackF)worst[1])};
    const PackF inverse[2] = {reciprocal(scale[0]), reciprocal(scale[1])};
    for (i64 i = b; i < b + count; ++i) {
      const PackU number = PackU{} + static_cast<u32>(first + i);
      const PackU dither = Dither<PackU>::mixed(Dither<PackU>::at(number, run, at.step));
      PackF &m = states[0][i], &v = states[1][i];
      m = First::decode(First::encode(m * inverse[0], Dither<PackU>::first(dither))) * scale[0];
      v = Second::decode(Second::encode(v * inverse[1], Dither<PackU>::second(dither))) * scale[1];
    }
  });
}

void encode_exactly(const QuantizedStates& out, float* const* states, i64 n) {
  each_block(n, [&](i64 b, i64 count) {
    const i64 k = b / kBlock;
    encode_block<true>({{out.codes[0] + b, out.codes[1] + b},
                        {out.scales[0] + k, out.scales[1] + k},
                        {states[0] + b, states[1] + b},
                        count});
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
