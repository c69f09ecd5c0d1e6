// The part of CUDA that the kernels of cpp/cuda use, on the host: what a machine without a GPU runs their text with.
//
// Blocks run in turn; the threads of a block are fibres that go on until they meet a barrier. Both orders of blocks and
// threads can be asked for: a result that depends on the order wants a barrier. A barrier that some threads of a block
// or warp never reach ends the program, since it would hang or mislead a GPU. Shared memory is static, so that
// AddressSanitizer watches its ends; what it holds at first is what the block before left there.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __shared__ static
#define __launch_bounds__(...)
#define OPTLAB_EMULATED 1

namespace emulation {

struct Extent {
  unsigned x = 1, y = 1, z = 1;
};
using Index = Extent;

constexpr std::size_t kStack = 256 << 10;
constexpr unsigned kWarp = 32;

/// Where a fibre, or the scheduler, goes on. A context is begun by ucontext and left and entered again by setjmp and
/// longjmp, which ask nothing of the system; AddressSanitizer knows ucontext only.
struct Place {
  ucontext_t context;
#if !defined(__SANITIZE_ADDRESS__)
  jmp_buf at;
#endif
  bool begun = false;
};

__attribute__((noinline)) inline void go(Place& from, Place& to) {
#if defined(__SANITIZE_ADDRESS__)
  swapcontext(&from.context, &to.context);
#else
  if (_setjmp(from.at)) return;
  from.begun = true;
  if (to.begun) _longjmp(to.at, 1);
  setcontext(&to.context);
#endif
}

/// One thread of a block; the threads of the next block go on in the same fibres.
struct Fibre {
  Place place;
  std::unique_ptr<char[]> stack;
  void* fake_stack = nullptr;  // AddressSanitizer's
  Index thread;
  unsigned number;
  bool done;
};

/// Lets threads through once all have come.
struct Barrier {
  unsigned waiting = 0, generation = 0, members = 0;
};

struct Block {
  Extent grid, block;
  Index index;
  std::vector<std::unique_ptr<Fibre>> fibres;
  std::vector<Barrier> warps;
  std::vector<unsigned char> exchange;  // 16 bytes for each thread: what a shuffle hands on
  Barrier all;
  Place scheduler;
  void* scheduler_stack = nullptr;
  const void* scheduler_bottom = nullptr;
  std::size_t scheduler_size = 0;
  Fibre* now = nullptr;
  bool progress = false;
  void (*body)(void*) = nullptr;
  void* argument = nullptr;
};
inline Block& state() {
  static Block block;
  return block;
}

[[noreturn]] inline void fail(const char* what) {
  const Block& b = state();
  std::fprintf(stderr, "emulation: %s (block %u, %u, thread %u)\n", what, b.index.x, b.index.y,
               b.now ? b.now->number : 0);
  std::abort();
}

inline void to_scheduler() {
  Block& b = state();
  Fibre* fibre = b.now;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fibre->fake_stack, b.scheduler_bottom, b.scheduler_size);
#endif
  go(fibre->place, b.scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fibre->fake_stack, &b.scheduler_bottom, &b.scheduler_size);
#endif
}

inline void run_fibre() {
  Block& b = state();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &b.scheduler_bottom, &b.scheduler_size);
#endif
  for (;;) {
    b.body(b.argument);
    b.now->done = true;
    to_scheduler();
  }
}

inline void resume(Fibre& fibre) {
  Block& b = state();
  b.now = &fibre;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&b.scheduler_stack, fibre.stack.get(), kStack);
#endif
  go(b.scheduler, fibre.place);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(b.scheduler_stack, nullptr, nullptr);
#endif
  b.now = nullptr;
}

inline void meet(Barrier& barrier) {
  Block& b = state();
  const unsigned generation = barrier.generation;
  b.progress = true;
  if (++barrier.waiting == barrier.members) {
    barrier.waiting = 0;
    ++barrier.generation;
    return;
  }
  while (barrier.generation == generation) to_scheduler();
  b.progress = true;
}

inline Barrier& own_warp() {
  Block& b = state();
  return b.warps[b.now->number / kWarp];
}

/// What lane `from` of the own warp gives; every lane of the warp takes part.
template <class T>
T exchange(T value, unsigned from) {
  static_assert(sizeof(T) <= 16, "a shuffle hands on at most 16 bytes");
  Block& b = state();
  const unsigned first = b.now->number / kWarp * kWarp;
  std::memcpy(b.exchange.data() + 16 * b.now->number, &value, sizeof value);
  meet(own_warp());
  if (first + from < b.fibres.size()) std::memcpy(&value, b.exchange.data() + 16 * (first + from), sizeof value);
  meet(own_warp());
  return value;
}

inline std::unique_ptr<Fibre> new_fibre() {
  auto fibre = std::make_unique<Fibre>();
  fibre->stack.reset(new char[kStack]);
  ucontext_t& context = fibre->place.context;
  if (getcontext(&context)) fail("no context");
  context.uc_stack.ss_sp = fibre->stack.get();
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, reinterpret_cast<void (*)()>(&run_fibre), 0);
  return fibre;
}

inline void run_block(bool reversed) {
  Block& b = state();
  const auto threads = static_cast<unsigned>(b.fibres.size());
  const Extent e = b.block;
  for (unsigned k = 0; k < threads; ++k) {
    Fibre& fibre = *b.fibres[k];
    fibre.number = k;
    fibre.thread = {k % e.x, k / e.x % e.y, k / (e.x * e.y)};
    fibre.done = false;
  }
  b.all = {0, 0, threads};
  for (unsigned w = 0; w < b.warps.size(); ++w)
    b.warps[w] = {0, 0, w * kWarp + kWarp <= threads ? kWarp : threads % kWarp};
  for (unsigned left = threads; left > 0;) {
    b.progress = false;
    for (unsigned k = 0; k < threads; ++k) {
      Fibre& fibre = *b.fibres[reversed ? threads - 1 - k : k];
      if (fibre.done) continue;
      resume(fibre);
      if (fibre.done) --left, b.progress = true;
    }
    if (!b.progress) fail("a barrier was not reached by all threads");
  }
}

template <class... A, std::size_t... I>
void launch(void (*kernel)(A...), Extent grid, Extent block, void** arguments, bool reversed,
            std::index_sequence<I...>) {
  Block& b = state();
  const auto call = [&] { kernel(*static_cast<A*>(arguments[I])...); };
  b.body = [](void* of) { (*static_cast<decltype(call)*>(of))(); };
  b.argument = const_cast<void*>(static_cast<const void*>(&call));
  b.grid = grid;
  b.block = block;
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024) fail("a block has 1 to 1024 threads");
  b.fibres.resize(std::min(b.fibres.size(), threads));
  while (b.fibres.size() < threads) b.fibres.push_back(new_fibre());
  b.warps.resize((threads + kWarp - 1) / kWarp);
  b.exchange.resize(16 * threads);
  const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
  for (std::size_t k = 0; k < blocks; ++k) {
    const std::size_t at = reversed ? blocks - 1 - k : k;
    b.index = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
               static_cast<unsigned>(at / grid.x / grid.y)};
    run_block(reversed);
  }
}

/// Runs a kernel whose arguments are pointed to, as CUDA's own launch takes them.
template <class... A>
void launch(void (*kernel)(A...), const unsigned* shape, void** arguments, int reversed) {
  launch(kernel, {shape[0], shape[1], shape[2]}, {shape[3], shape[4], shape[5]}, arguments, reversed != 0,
         std::index_sequence_for<A...>{});
}

}  // namespace emulation

#define gridDim (::emulation::state().grid)
#define blockDim (::emulation::state().block)
#define blockIdx (::emulation::state().index)
#define threadIdx (::emulation::state().now->thread)

inline void __syncthreads() {
  ::emulation::meet(::emulation::state().all);
}
inline void __syncwarp(unsigned = 0xffffffffu) {
  ::emulation::meet(::emulation::own_warp());
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return ::emulation::exchange(value, (::emulation::state().now->number % 32) ^ static_cast<unsigned>(mask));
}
template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return ::emulation::exchange(value, static_cast<unsigned>(from) % 32);
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned by) {
  const unsigned lane = ::emulation::state().now->number % 32;
  return ::emulation::exchange(value, lane + by < 32 ? lane + by : lane);
}

/// Accesses that pass the caches by; here they are accesses.
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
template <class T>
T __ldcs(const T* from) {
  return *from;
}
template <class T>
void __stcs(T* to, T value) {
  *to = value;
}
