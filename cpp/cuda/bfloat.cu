// float32 to bfloat16, the upper half of its bits, rounded to nearest even. NaN stays NaN.
#include "cuda/grid.cuh"

namespace optlab {

using u16 = unsigned short;

OPTLAB_HD u16 rounded_bfloat(float x) {
  const u32 bits = Number<float>::bits(x);
  if (x != x) return static_cast<u16>((bits >> 16) | 0x40u);  // the carry could make a NaN infinite
  return static_cast<u16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

__global__ void __launch_bounds__(kThreads) round_bfloat(u16* out, const float* x, i64 n) {
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads * 4;
  const bool vectors = aligned(x) && (reinterpret_cast<u64>(out) & 7) == 0;
  for (i64 i = (static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x) * 4; i < n; i += stride) {
    if (vectors && i + 4 <= n) {
      const Vector<float> from = *reinterpret_cast<const Vector<float>*>(x + i);
      u64 packed = 0;
#pragma unroll
      for (int l = 0; l < 4; ++l) packed |= static_cast<u64>(rounded_bfloat(from.at[l])) << (16 * l);
      *reinterpret_cast<u64*>(out + i) = packed;
    } else {
      for (i64 k = i; k < i + 4 && k < n; ++k) out[k] = rounded_bfloat(x[k]);
    }
  }
}

}  // namespace optlab
