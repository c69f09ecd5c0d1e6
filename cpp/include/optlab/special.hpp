// Our own log, exp, sine, cosine and arc cosine. They are polynomials evaluated in one fixed order without contraction,
// so the bits are the same at every SIMD width, on every instruction set and on the GPU, which no system's mathematics
// library promises. The coefficients are weighted least-squares fits at Chebyshev nodes, made with 60 digits. Error
// bounds (in ulp of the result; tests/test_special.py measures them against 50 digits):
//   log      1.0                 exp   1.0, subnormal results 1.5            expm1 3.0
//   sin, cos 2.5 where |result| >= 1e-3, absolute error 1.5e-3 ulp(1) below, of x in radians or in turns. In radians
//   for
//            |x| up to sin_limit (12867 in float, 1.6e6 in double); beyond it the argument has no digits left: NaN
//   acos     2.0, and 2.0 of its sine
#pragma once
#include "portable.hpp"

namespace optlab {

template <class R>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int mantissa = 23, bias = 127;
  static constexpr u32 one = 0x3f800000u, sqrt_half = 0x3f3504f3u, infinity = 0x7f800000u, nan = 0x7fc00000u;
  static constexpr float tiny = 1.17549435e-38f, two_mantissa = 8388608.0f, round = 12582912.0f;
  static constexpr float ln2_high = 0.693115234375f, ln2_low = 3.194618329871446e-05f, log2e = 1.4426950408889634f;
  static constexpr float exp_high = 88.8f, exp_low = -104.0f, exp_gone = 20.0f, sin_limit = 12867.0f;
  static constexpr float pio2[3] = {1.5703125f, 0.0004837512969970703f, 7.549790126404332e-08f};
};

template <>
struct Constants<double> {
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr u64 one = 0x3ff0000000000000ull, sqrt_half = 0x3fe6a09e667f3bcdull;
  static constexpr u64 infinity = 0x7ff0000000000000ull, nan = 0x7ff8000000000000ull;
  static constexpr double tiny = 2.2250738585072014e-308, two_mantissa = 4503599627370496.0;
  static constexpr double round = 6755399441055744.0;
  static constexpr double ln2_high = 0.6931471803691238, ln2_low = 1.9082149292705877e-10;
  static constexpr double log2e = 1.4426950408889634, exp_high = 709.8, exp_low = -745.2;
  static constexpr double exp_gone = 40.0, sin_limit = 1.6e6;
  static constexpr double pio2[3] = {1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21};
};

template <class T>
using ConstantsOf = Constants<Real<T>>;
inline constexpr double kPi = 3.14159265358979323846;

/// c[0] + c[1] x + ... by Horner's rule.
template <class T, class R>
OPTLAB_HD T horner(T, R c) {
  return Number<T>::splat(c);
}
template <class T, class R, class... Rest>
OPTLAB_HD T horner(T x, R c, Rest... rest) {
  return horner(x, rest...) * x + c;
}

template <class T>
OPTLAB_HD T log_core_float(T f, T e) {
  using C = ConstantsOf<T>;
  const T p = horner(f, 0.333333283662796f, -0.2500084638595581f, 0.200014129281044f, -0.1662275195121765f,
                     0.14197877049446106f, -0.13161605596542358f, 0.1278633028268814f, -0.07660818845033646f);
  const T square = f * f;
  return (((square * f) * p + e * C::ln2_low) - square * 0.5f + f) + e * C::ln2_high;
}

template <class T>
OPTLAB_HD T log_core_double(T f, T e) {
  using C = ConstantsOf<T>;
  const T s = f / (f + 2.0), z = s * s, half_square = f * f * 0.5;
  const T p = z * horner(z, 0.6666666666666666, 0.4000000000000635, 0.28571428569061325, 0.222222226496804,
                         0.18181775478785936, 0.15387097543300812, 0.13249988387427786, 0.1325234520305397);
  return e * C::ln2_high - ((half_square - (s * (half_square + p) + e * C::ln2_low)) - f);
}

template <class T>
OPTLAB_HD T log_core(T f, T e) {
  if constexpr (sizeof(Real<T>) == 4)
    return log_core_float<T>(f, e);
  else
    return log_core_double<T>(f, e);
}

/// x = m 2^e of a positive, normal, finite x, with m in [sqrt(1/2), sqrt(2)); e counts `halvings` less.
template <class T>
OPTLAB_HD T split_exponent(T x, T& e, int halvings = 0) {
  using C = ConstantsOf<T>;
  const Bits<T> shifted = Number<T>::bits(x) + (C::one - C::sqrt_half);
  const Bits<T> low = ((Bits<T>{} + 1) << C::mantissa) - 1;
  // The exponent is a small positive integer: written into the mantissa of 2^mantissa, it is converted without a
  // conversion instruction, which AVX2 lacks for 64-bit integers.
  e = Number<T>::from_bits((shifted >> C::mantissa) | Number<T>::bits(Number<T>::splat(C::two_mantissa))) -
      (C::two_mantissa + static_cast<Real<T>>(C::bias + halvings));
  return Number<T>::from_bits((shifted & low) + C::sqrt_half);
}

/// log(x / 2^halvings) of a positive, normal, finite x.
template <class T>
OPTLAB_HD T log_positive(T x, int halvings = 0) {
  T e;
  const T m = split_exponent(x, e, halvings);
  return log_core<T>(m - Real<T>(1), e);
}

/// Natural logarithm: -inf at 0, NaN below, subnormals included.
template <class T>
OPTLAB_HD T log(T x) {
  using C = ConstantsOf<T>;
  const T inf = Number<T>::from_bits(Bits<T>{} + C::infinity), nan = Number<T>::from_bits(Bits<T>{} + C::nan);
  const auto subnormal = x < C::tiny;
  const T scaled = select<T>(subnormal, x * C::two_mantissa, x);
  const T shift = select<T>(subnormal, Number<T>::splat(C::mantissa), T{});
  T y = log_positive(scaled) - shift * Real<T>(0.6931471805599453);
  y = select<T>(x == inf, inf, y);
  y = select<T>(x == T{}, -inf, y);
  return select<T>(x >= T{}, y, nan);
}

/// 2^n for an integer-valued n inside the exponent range of normal numbers.
template <class T>
OPTLAB_HD T power_of_two(T n) {
  using C = ConstantsOf<T>;
  return Number<T>::from_bits(Number<T>::bits(n + (C::round + C::bias)) << C::mantissa);
}

/// x less the multiple n of log 2 that is nearest to it.
template <class T>
OPTLAB_HD T reduce_exponent(T x, T& n) {
  using C = ConstantsOf<T>;
  n = (x * C::log2e + C::round) - C::round;
  return (x - n * C::ln2_high) - n * C::ln2_low;
}

/// e^r - 1 for |r| <= log(2) / 2.
template <class T>
OPTLAB_HD T expm1_reduced(T r) {
  T p;
  if constexpr (sizeof(Real<T>) == 4)
    p = horner(r, 0.5f, 0.16666515171527863f, 0.04166626185178757f, 0.008369223214685917f, 0.0013946561375632882f);
  else
    p = horner(r, 0.5, 0.16666666666666685, 0.04166666666666671, 0.008333333333316192, 0.0013888888888863463,
               0.00019841269898232807, 2.480158736417846e-05, 2.755723318614622e-06, 2.7557241228744803e-07,
               2.5112575196811184e-08, 2.092459605675823e-09);
  return (r * r) * p + r;
}

/// e^x for exp_low <= x <= exp_high; NaN stays.
template <class T>
OPTLAB_HD T exp_inside(T x) {
  using C = ConstantsOf<T>;
  T n;
  const T r = reduce_exponent(x, n);
  const T half = (n * Real<T>(0.5) + C::round) - C::round;  // two factors, because 2^n itself may be subnormal
  return (expm1_reduced(r) + Real<T>(1)) * power_of_two(half) * power_of_two<T>(n - half);
}

/// Exponential; overflows to inf, underflows gradually to 0.
template <class T>
OPTLAB_HD T exp(T x) {
  using C = ConstantsOf<T>;
  const T y = select<T>(x > C::exp_high, Number<T>::splat(C::exp_high), x);
  return exp_inside(select<T>(y < C::exp_low, Number<T>::splat(C::exp_low), y));
}

/// e^x - 1, by Kahan's correction: exp(x) - 1 is wrong by what exp rounded, and so is the logarithm of that exp.
template <class T>
OPTLAB_HD T expm1(T x) {
  using C = ConstantsOf<T>;
  const T one = Number<T>::splat(Real<T>(1)), inf = Number<T>::from_bits(Bits<T>{} + C::infinity);
  const T u = exp(x), away = u - one;
  const T y = select<T>(away == -one, away, away * (x / log(u)));
  return select<T>(u == one || u == inf, select<T>(u == one, x, u), y);
}

/// 1 - base^exponent for a base in [0, 1) and an exponent > 0, to 5 ulp where the difference itself loses all digits.
template <class T>
OPTLAB_HD T one_minus_power(T base, Real<T> exponent) {
  return -expm1<T>(log(base) * exponent);
}

/// Sine and cosine of r in [-pi/4, pi/4] turned by `quadrant` right angles (only its two low bits count).
template <class T>
OPTLAB_HD void sincos_quadrant(T r, Bits<T> quadrant, T& sine, T& cosine) {
  constexpr int sign = sizeof(Real<T>) * 8 - 2;
  const T z = r * r;
  T s, c;
  if constexpr (sizeof(Real<T>) == 4) {
    s = horner(z, -0.16666655242443085f, 0.008332165889441967f, -0.0001951591984834522f);
    c = horner(z, 0.04166664555668831f, -0.001388734090141952f, 2.4435816158074886e-05f);
  } else {
    s = horner(z, -0.1666666666666663, 0.008333333333322212, -0.0001984126982967759, 2.755731365366255e-06,
               -2.5050752890816617e-08, 1.5896526035843685e-10);
    c = horner(z, 0.041666666666666595, -0.001388888888887361, 2.480158728920162e-05, -2.755731427968758e-07,
               2.087571428531852e-09, -1.135921927721719e-11);
  }
  s = (z * r) * s + r;
  c = (z * z) * c + (Real<T>(1) - z * Real<T>(0.5));
  const auto swap = (quadrant & 1) != 0;
  const Bits<T> sine_sign = (quadrant & 2) << sign, cosine_sign = ((quadrant + 1) & 2) << sign;
  sine = Number<T>::from_bits(Number<T>::bits(select<T>(swap, c, s)) ^ sine_sign);
  cosine = Number<T>::from_bits(Number<T>::bits(select<T>(swap, s, c)) ^ cosine_sign);
}

/// Sine and cosine of x in radians.
template <class T>
OPTLAB_HD void sincos(T x, T& sine, T& cosine) {
  using C = ConstantsOf<T>;
  const T shifted = x * Real<T>(0.6366197723675814) + C::round;
  const T n = shifted - C::round;
  const T r = ((x - n * C::pio2[0]) - n * C::pio2[1]) - n * C::pio2[2];
  sincos_quadrant<T>(r, Number<T>::bits(shifted), sine, cosine);
  const T nan = Number<T>::from_bits(Bits<T>{} + C::nan);
  const auto inside = (x <= C::sin_limit) & (x >= -C::sin_limit);
  sine = select<T>(inside, sine, nan);
  cosine = select<T>(inside, cosine, nan);
}

/// Sine and cosine of 2 pi x. The reduction is exact, so x may have any size up to 2^(mantissa - 3).
template <class T>
OPTLAB_HD void sincos_turns(T x, T& sine, T& cosine) {
  using C = ConstantsOf<T>;
  const T quarters = x * Real<T>(4), shifted = quarters + C::round;
  const T r = (quarters - (shifted - C::round)) * Real<T>(kPi / 2);
  sincos_quadrant<T>(r, Number<T>::bits(shifted), sine, cosine);
}

/// asin(t) of 0 <= t <= 1/2 with z = t^2.
template <class T>
OPTLAB_HD T asin_reduced(T t, T z) {
  T p;
  if constexpr (sizeof(Real<T>) == 4)
    p = horner(z, 0.1666675148886707f, 0.07495353339643819f, 0.04546249911323444f, 0.02422051003202318f,
               0.04209503796420305f);
  else
    p = horner(z, 0.16666666666665433, 0.0750000000032899, 0.04464285683594077, 0.030381958801604388,
               0.022371766360186462, 0.017359577557206164, 0.013886497554714806, 0.01216094246176478,
               0.006563512384336708, 0.019431898594213064, -0.016074692852579425, 0.03181100662565914);
  return (t * z) * p + t;
}

/// Where exp_of_nonpositive ends: below, 2^n would not be normal, and beside the 1 of the row's maximum it is nothing.
template <class R>
inline constexpr R kLeastExponent = sizeof(R) == 4 ? R(-87) : R(-708);

/// exp(x) for x <= 0 to 1 ulp, and 0 below kLeastExponent; two thirds of the work of exp().
template <class T>
OPTLAB_HD T exp_of_nonpositive(T x) {
  const auto lost = x < kLeastExponent<Real<T>>;
  T n;
  const T r = reduce_exponent(select<T>(lost, T{}, x), n);
  return select<T>(lost, T{}, (expm1_reduced(r) + Real<T>(1)) * power_of_two(n));
}

/// The angle in [0, pi] whose cosine is x, and its sine. Beyond 1 and -1, where rounding may carry a cosine, they stay
/// what they are there.
template <class T>
OPTLAB_HD void acos(T x, T& angle, T& sine) {
  const T one = Number<T>::splat(Real<T>(1));
  const T size = select<T>(x < T{}, -x, x), a = select<T>(size > one, one, size);
  const auto small = a < Real<T>(0.5), negative = x < T{};
  const T z = select<T>(small, a * a, (one - a) * Real<T>(0.5));  // acos(a) = 2 asin(sqrt((1 - a) / 2))
  const T part = asin_reduced(select<T>(small, a, sqrt<T>(z)), z);
  const T signed_part = select<T>(negative, -part, part), twice = part + part;
  angle = select<T>(small, Real<T>(kPi / 2) - signed_part, select<T>(negative, Real<T>(kPi) - twice, twice));
  sine = sqrt<T>((one - a) * (one + a));
}

/// 1 / sqrt(x), and 0 at 0: what is of length 0 has no direction.
template <class T>
OPTLAB_HD T inverse_root(T x) {
  const T one = Number<T>::splat(Real<T>(1));
  return select<T>(x == T{}, T{}, one / sqrt<T>(x));
}

}  // namespace optlab
