// AdamW with its two averages in bytes (optlab/quantize.hpp): a warp takes a block of 256 elements, 8 to each lane, so
// that the largest magnitude needs shuffles only. The same bits as on the CPU: a maximum has no order.
#include "cuda/step.cuh"
#include "optlab/quantize.hpp"
#include "optlab/updates/adam.hpp"

namespace optlab {

inline constexpr int kOwn = kQuantizedBlock / 32, kGroups = kOwn / 4;  ///< of a lane: elements, groups of four

/// Four neighbouring floats, or codes in a word, in one access where the arrays allow it; what is behind the end is not
/// touched, and read as 0.
struct Group {
  bool whole;
  i64 left;

  __device__ void load(float* out, const float* from) const {
    if (whole && left >= 4) {
      const auto four = *reinterpret_cast<const Vector<float>*>(from);
      for (int l = 0; l < 4; ++l) out[l] = four.at[l];
    } else {
      for (int l = 0; l < 4; ++l) out[l] = l < left ? from[l] : 0.0f;
    }
  }
  __device__ void store(float* to, const float* values) const {
    if (whole && left >= 4)
      *reinterpret_cast<Vector<float>*>(to) = {{values[0], values[1], values[2], values[3]}};
    else
      for (int l = 0; l < 4; ++l)
        if (l < left) to[l] = values[l];
  }
  __device__ u32 load(const unsigned char* from) const {
    if (whole && left >= 4) return *reinterpret_cast<const u32*>(from);
    u32 word = 0;
    for (int l = 0; l < 4; ++l)
      if (l < left) word |= static_cast<u32>(from[l]) << (8 * l);
    return word;
  }
  __device__ void store(unsigned char* to, u32 word) const {
    if (whole && left >= 4)
      *reinterpret_cast<u32*>(to) = word;
    else
      for (int l = 0; l < 4; ++l)
        if (l < left) to[l] = static_cast<unsigned char>(word >> (8 * l));
  }
};

/// The scale of a block from the magnitudes of its lanes, as bits: NaN, whose bits are largest of all, wins.
__device__ inline float scale_of(u32 largest) {
  for (int lane = 16; lane > 0; lane /= 2) {
    const u32 other = __shfl_xor_sync(kWholeWarp, largest, lane);
    largest = other > largest ? other : largest;
  }
  return block_scale(Number<float>::from_bits(largest & 0x7fffffffu));
}

/// A block of 256 elements of one run, in the hands of a warp: each lane has kGroups groups of four.
struct QuantizedBlock {
  using First = FirstCode<float>;
  using Second = SecondCode<float>;
  float *x, *scales[2];
  const float* g;
  unsigned char* codes[2];
  i64 first, left;  ///< the number of the first element in the run, and how many there are, the block's or more
  u32 run, flags;
  u64 step, rule_step;  ///< by which noise is drawn, and by which roundings are dithered

  static __device__ i64 place(int group) { return group * 128 + 4 * static_cast<i64>(threadIdx.x % 32); }

  template <bool noisy>
  __device__ void update(const float* c, float sigma, u64 seed) const {
    float px[kOwn], pg[kOwn], m[kOwn], v[kOwn];
    u32 words[2][kGroups], largest[2] = {};
    const bool whole =
        aligned(x) && aligned(g) && ((reinterpret_cast<u64>(codes[0]) | reinterpret_cast<u64>(codes[1])) & 3) == 0;
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {  // everything is asked for before anything is used
      const Group group{whole, left - place(k)};
      group.load(px + 4 * k, x + place(k));
      group.load(pg + 4 * k, g + place(k));
      for (int s = 0; s < 2; ++s) words[s][k] = group.load(codes[s] + place(k));
    }
    const float old[2] = {*scales[0], *scales[1]};
#pragma unroll
    for (int k = 0; k < kOwn; ++k) {
      const i64 at = place(k / 4) + k % 4;
      const int shift = 8 * (k % 4);
      float s[2] = {First::decode(words[0][k / 4] >> shift & 255) * old[0],
                    Second::decode(words[1][k / 4] >> shift & 255) * old[1]};
      update_element<Adam<false>, float>(px[k], pg[k], s, c, flags);
      if (noisy) px[k] = px[k] + sigma * normal_element<float>(first + at, run, step, kNoise, seed);
      m[k] = s[0];
      v[k] = s[1];
      const u32 sizes[2] = {Number<float>::bits(s[0]) & 0x7fffffffu, Number<float>::bits(s[1])};
      for (int j = 0; j < 2; ++j)
        if (at < left && sizes[j] > largest[j]) largest[j] = sizes[j];
    }
#pragma unroll
    for (int k = 0; k < kGroups; ++k) Group{whole, left - place(k)}.store(x + place(k), px + 4 * k);
    encode(m, v, scale_of(largest[0]), scale_of(largest[1]), whole);
  }

 private:
  __device__ void encode(const float* m, const float* v, float first_scale, float second_scale, bool whole) const {
    const float inverse[2] = {reciprocal(first_scale), reciprocal(second_scale)};
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {
      u32 words[2] = {};
#pragma unroll
      for (int l = 0; l < 4; ++l) {
        const u32 hash = mixed<u32>(hash_seed<u32>(static_cast<u32>(first + place(k) + l), run, rule_step));
        words[0] |= First::encode(m[4 * k + l] * inverse[0], First::dither(hash)) << (8 * l);
        words[1] |= Second::encode(v[4 * k + l] * inverse[1], Second::dither(hash)) << (8 * l);
      }
      for (int s = 0; s < 2; ++s) Group{whole, left - place(k)}.store(codes[s] + place(k), words[s]);
    }
    if (threadIdx.x % 32 > 0) return;
    *scales[0] = first_scale;
    *scales[1] = second_scale;
  }
};

__device__ inline unsigned char* bytes(float* state) {
  return reinterpret_cast<unsigned char*>(state);
}

/// Blocks (chunk, run). A piece's states are the bytes and scales of its first run; scales of a run stand `scale_count`
/// behind those of the one before.
template <bool noisy>
__global__ void __launch_bounds__(kThreads, 2)
    update_quantized(OPTLAB_STEP_ARGUMENTS(float), const Chunk* chunks, i64 flags, float sigma, u64 seed, i64 first_run,
                     i64 scale_count) {
  const Step<float> step{OPTLAB_STEP};
  const Chunk chunk = chunks[blockIdx.x];
  const Piece<float>& piece = pieces[chunk.piece];
  const i64 end = chunk.part * kChunk + kChunk < piece.n ? chunk.part * kChunk + kChunk : piece.n;
  for (i64 run = blockIdx.y; run < runs; run += gridDim.y) {
    const float* constants_of = step.constants_of(chunk.piece, run);
    float c[Around::constants + Adam<false>::constants];
    for (int k = 0; k < Around::constants + Adam<false>::constants; ++k) c[k] = constants_of[k];
    for (i64 begin = chunk.part * kChunk + threadIdx.x / 32 * kQuantizedBlock; begin < end;
         begin += kThreads / 32 * kQuantizedBlock) {
      const i64 at = run * dim + begin, scale = run * scale_count + begin / kQuantizedBlock;
      const QuantizedBlock block{piece.x + at,
                                 {piece.states[2] + scale, piece.states[3] + scale},
                                 piece.g + at,
                                 {bytes(piece.states[0]) + at, bytes(piece.states[1]) + at},
                                 piece.first + begin,
                                 piece.n - begin,
                                 static_cast<u32>(first_run + run),
                                 static_cast<u32>(flags),
                                 static_cast<u64>(step.counter.step()),
                                 static_cast<u64>(step.counter.rule_step())};
      block.update<noisy>(c, sigma, seed);
    }
  }
}

}  // namespace optlab
