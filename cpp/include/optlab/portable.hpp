// What host and device share: integer names, the function qualifier, and the primitive operations of a number type.
// No standard header is included here or in any header of this folder: the run-time compiler of the GPU cannot open
// them.
#pragma once

#define OPTLAB_PRAGMA(text) _Pragma(#text)
#if defined(__CUDACC__)
#define OPTLAB_HD __device__ __forceinline__
#define OPTLAB_UNROLL(count) OPTLAB_PRAGMA(unroll)
#else
#define OPTLAB_HD inline __attribute__((always_inline))
#define OPTLAB_UNROLL(count) OPTLAB_PRAGMA(GCC unroll count)
#endif

namespace optlab {

using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;
static_assert(sizeof(u32) == 4 && sizeof(u64) == 8, "optlab needs 32-bit int and 64-bit long long");

/// The primitive operations of a number type T: float, double, a pack of them (host only) or a dual number.
/// They are static members, not overloads, because packs are built-in types that argument-dependent lookup never finds.
template <class T>
struct Number;

/// What every real scalar or pack of scalars can do; Derived supplies bits(), from_bits() and convert().
template <>
struct Number<float> {
  using Real = float;
  using Bits = u32;
  using Mask = bool;
  static constexpr int lanes = 1;
  static constexpr int words = 4;  ///< random words of this width in one Philox block
#if defined(__CUDA_ARCH__)
  static OPTLAB_HD Bits bits(float x) { return __float_as_uint(x); }
  static OPTLAB_HD float from_bits(Bits b) { return __uint_as_float(b); }
  static OPTLAB_HD float sqrt(float x) { return __fsqrt_rn(x); }
#else
  static OPTLAB_HD Bits bits(float x) {
    Bits b;
    __builtin_memcpy(&b, &x, sizeof b);
    return b;
  }
  static OPTLAB_HD float from_bits(Bits b) {
    float x;
    __builtin_memcpy(&x, &b, sizeof x);
    return x;
  }
  static OPTLAB_HD float sqrt(float x) { return __builtin_sqrtf(x); }
#endif
  static OPTLAB_HD float splat(float x) { return x; }
  static OPTLAB_HD float select(bool m, float a, float b) { return m ? a : b; }
  static OPTLAB_HD bool any(bool m) { return m; }
  static OPTLAB_HD float from_signed(Bits b) { return static_cast<float>(static_cast<i32>(b)); }
};

template <>
struct Number<double> {
  using Real = double;
  using Bits = u64;
  using Mask = bool;
  static constexpr int lanes = 1;
  static constexpr int words = 2;
#if defined(__CUDA_ARCH__)
  static OPTLAB_HD Bits bits(double x) { return static_cast<u64>(__double_as_longlong(x)); }
  static OPTLAB_HD double from_bits(Bits b) { return __longlong_as_double(static_cast<i64>(b)); }
  static OPTLAB_HD double sqrt(double x) { return __dsqrt_rn(x); }
#else
  static OPTLAB_HD Bits bits(double x) {
    Bits b;
    __builtin_memcpy(&b, &x, sizeof b);
    return b;
  }
  static OPTLAB_HD double from_bits(Bits b) {
    double x;
    __builtin_memcpy(&x, &b, sizeof x);
    return x;
  }
  static OPTLAB_HD double sqrt(double x) { return __builtin_sqrt(x); }
#endif
  static OPTLAB_HD double splat(double x) { return x; }
  static OPTLAB_HD double select(bool m, double a, double b) { return m ? a : b; }
  static OPTLAB_HD bool any(bool m) { return m; }
};

template <class T>
using Real = typename Number<T>::Real;
template <class T>
using Bits = typename Number<T>::Bits;

template <class T>
OPTLAB_HD T sqrt(T x) {
  return Number<T>::sqrt(x);
}
template <class T>
OPTLAB_HD T select(typename Number<T>::Mask m, T a, T b) {
  return Number<T>::select(m, a, b);
}

}  // namespace optlab
