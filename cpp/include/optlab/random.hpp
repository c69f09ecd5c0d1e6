// Random numbers addressed by (seed, stream, step, run, element): a pure function of the address, so no draw depends on
// call order, thread count, SIMD width or device.
//   key     = seed
//   counter = (element / words, run, step mod 2^32, step >> 32 in 16 bits | stream in 16 bits)
// where a block of 128 bits gives `words` numbers: 4 in float, 2 in double.
#pragma once
#include "philox.hpp"
#include "special.hpp"

namespace optlab {

inline constexpr u64 kMaxStep = 1ull << 48;

/// The third and fourth counter word.
OPTLAB_HD u32 step_low(u64 step) {
  return static_cast<u32>(step);
}
OPTLAB_HD u32 step_high(u64 step, u32 stream) {
  return (static_cast<u32>(step >> 32) & 0xffffu) | (stream << 16);
}

/// The random words of one block for a scalar type; packs have their own (cpu/pack.hpp).
template <class T>
struct RandomWords {
  static OPTLAB_HD void draw(Bits<T>* out, Bits<T> block, Bits<T> run, u64 step, u32 stream, u64 seed) {
    const PhiloxBlock<u64> p = philox<u64>({{block, run, step_low(step), step_high(step, stream)}}, seed);
    if constexpr (sizeof(T) == 4) {
      for (int i = 0; i < 4; ++i) out[i] = static_cast<u32>(p.word[i]);
    } else {
      for (int i = 0; i < 2; ++i) out[i] = (p.word[2 * i] << 32) | (p.word[2 * i + 1] & 0xffffffffull);
    }
  }
};

/// Uniform on [0, 1): 24 bits in float, 52 in double.
struct Uniform {
  template <class T>
  static OPTLAB_HD void apply(T* out, const Bits<T>* words) {
    using C = ConstantsOf<T>;
    for (int i = 0; i < Number<T>::words; ++i) {
      if constexpr (sizeof(Real<T>) == 4)
        out[i] = Number<T>::from_signed(words[i] >> 8) * 5.9604644775390625e-08f;
      else
        out[i] = Number<T>::from_bits((words[i] >> 12) | C::one) - 1.0;
    }
  }
};

/// Standard normal by Box and Muller, two numbers from two words. The radius comes from 31 bits in float and 52 in
/// double, so the tails end at 6.6 and 8.5 standard deviations; the angle from 30 bits and a quadrant (52 in double).
struct Normal {
  /// log u for u = (k + 1/2) / 2^31 with the 31 bits k of a word (2^52 and 52 bits in double).
  template <class T>
  static OPTLAB_HD T log_uniform(Bits<T> word) {
    using C = ConstantsOf<T>;
    if constexpr (sizeof(Real<T>) == 4)
      return log_positive(Number<T>::from_signed(word >> 1) + 0.5f, 31);
    else
      return log_positive(Number<T>::from_bits((word >> 12) | C::one) - (1.0 - 1.1102230246251565e-16));
  }
  template <class T>
  static OPTLAB_HD T eighth_turn(Bits<T> word) {  // the angle inside its quadrant, in [-pi/4, pi/4]
    using C = ConstantsOf<T>;
    if constexpr (sizeof(Real<T>) == 4)
      return Number<T>::from_signed(word << 2) * static_cast<float>(kPi / 4 / 2147483648.0);
    else
      return (Number<T>::from_bits(((word << 2) >> 12) | C::one) - 1.5) * (kPi / 2);
  }
  template <class T>
  static OPTLAB_HD void apply(T* out, const Bits<T>* words) {
    constexpr int quadrant = sizeof(Real<T>) * 8 - 2;
    for (int i = 0; i < Number<T>::words; i += 2) {
      const T radius = sqrt<T>(log_uniform<T>(words[i]) * Real<T>(-2));
      T s, c;
      sincos_quadrant<T>(eighth_turn<T>(words[i + 1]), words[i + 1] >> quadrant, s, c);
      out[i] = radius * c;
      out[i + 1] = radius * s;
    }
  }
};

/// What makes of dim standard normals, the sum of whose squares is given, a uniform draw from the ball of a radius
/// around 0: radius * U^(1/dim) / |z|, where U comes from the block behind the last element, so that it is independent
/// of z.
template <class R>
OPTLAB_HD R ball_scale(R radius, i64 dim, R square, u32 run, u64 step, u32 stream, u64 seed) {
  constexpr int words = Number<R>::words;
  Bits<R> bits[words];
  R u[words];
  RandomWords<R>::draw(bits, static_cast<Bits<R>>((dim + words - 1) / words), run, step, stream, seed);
  Uniform::apply<R>(u, bits);
  return radius * exp<R>(log<R>(u[0]) / static_cast<R>(dim)) / sqrt<R>(square);
}

/// The public enumeration of streams: what the draws of one seed are for.
enum Stream : u32 {
  kNoise = 0,
  kPerturbation = 1,
  kGradientNoise = 2,
  kBatch = 3,
  kInit = 4,
  kData = 5,
  kDropout = 6,
  kNormNoise = 7
};

/// A whole number in [0, high) from a random word (its bias, below high / 2^32, is far beyond what a study can see).
OPTLAB_HD u32 below(u32 word, u32 high) {
  return static_cast<u32>((static_cast<u64>(word) * high) >> 32);
}

}  // namespace optlab
