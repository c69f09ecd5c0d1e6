// The floating-point environment of a kernel: round to nearest, subnormals kept. Callers (PyTorch, audio libraries) may
// have switched flushing on in the calling thread or in the one a pool thread was born from; each kernel sets and
// restores its own.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace optlab {

class FloatEnvironment {
 public:
#if defined(__x86_64__)
  FloatEnvironment() : saved_(_mm_getcsr()) {
    _mm_setcsr(0x1f80);
    barrier();
  }
  ~FloatEnvironment() {
    barrier();
    _mm_setcsr(saved_);
  }
#elif defined(__aarch64__)
  FloatEnvironment() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    __asm__ volatile("msr fpcr, %0" : : "r"(0ull));
    barrier();
  }
  ~FloatEnvironment() {
    barrier();
    __asm__ volatile("msr fpcr, %0" : : "r"(saved_));
  }
#else
#error "optlab: say here how this processor's rounding and flushing are set"
#endif
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  // The compiler does not know that arithmetic depends on the environment; it may not carry memory across this line,
  // so what is loaded inside is computed inside, and what is stored inside was computed before.
  static void barrier() { __asm__ volatile("" ::: "memory"); }

#if defined(__x86_64__)
  unsigned int saved_;
#else
  unsigned long long saved_;
#endif
};

}  // namespace optlab
