#include "peak.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "gemm_tile.hpp"
#include "huge_pages.hpp"
#include "past_caches.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

constexpr int kChains = 12;  // enough to hide the latency of a product and a sum in turn
constexpr long long kRounds = 1 << 20;

void work_chains() {
  PackF chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = splat(1.0f + static_cast<float>(i));
  volatile float half = 0.5f, one = 1.0f, result;  // volatile: neither constant nor unused to the compiler
  const PackF factor = splat<float>(half), term = splat<float>(one);
  for (long long round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + term;
  }
  for (int i = 1; i < kChains; ++i) chain[0] = chain[0] + chain[i];
  result = chain[0][0];
  (void)result;
}

template <class R>
void multiply_chains(long long rounds) {
  Pack<R> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = splat(R(1 + i));
  volatile R half = R(0.5), one = R(1), result;
  const Pack<R> factor = splat<R>(half), term = splat<R>(one);
  for (long long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = fused<R>(chain[i], factor, term);
  }
  for (int i = 1; i < kChains; ++i) chain[0] = chain[0] + chain[i];
  result = chain[0][0];
  (void)result;
}

constexpr long long kPart = 4096;  // numbers: parts begin on whole packs

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

/// Zeroed numbers on huge pages where the system grants them, as NumPy asks for its large arrays.
std::unique_ptr<float, Free> numbers(long long n) {
  const std::size_t bytes = (static_cast<std::size_t>(n) * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
  std::unique_ptr<float, Free> memory(static_cast<float*>(std::aligned_alloc(kHugePage, bytes)));
  if (!memory) throw std::bad_alloc();
  wish_for_huge_pages(memory.get(), bytes);
  std::memset(memory.get(), 0, bytes);
  return memory;
}

void touch(const std::vector<std::unique_ptr<float, Free>>& arrays, int read_only, long long from, long long to) {
  constexpr long long ahead = 512;
  const std::size_t count = arrays.size(), readers = static_cast<std::size_t>(read_only);
  for (long long i = from; i < to; i += kLanes<float>) {
    PackF sum = splat(1.0f);
    for (std::size_t k = 0; k < readers; ++k) {
      __builtin_prefetch(arrays[k].get() + i + ahead, 0);
      sum = sum + load(arrays[k].get() + i);
    }
    for (std::size_t k = readers; k < count; ++k) {
      float* x = arrays[k].get() + i;
      __builtin_prefetch(x + ahead, 1);
      store(x, load(x) + sum);
    }
  }
}

/// Writes the sum of all arrays but the last into the last, past the caches or not.
template <bool past>
void combine(const std::vector<std::unique_ptr<float, Free>>& arrays, long long from, long long to) {
  constexpr long long ahead = 512;
  for (long long i = from; i < to; i += kLanes<float>) {
    PackF sum = splat(1.0f);
    for (std::size_t k = 0; k + 1 < arrays.size(); ++k) {
      __builtin_prefetch(arrays[k].get() + i + ahead, 0);
      sum = sum + load(arrays[k].get() + i);
    }
    store_past<past>(arrays.back().get() + i, sum);
  }
  if (past) end_of_stream();
}

/// The least seconds of many passes of work(begin, end) over so many parts.
template <class Work>
double least_seconds(long long parts, int threads, int repeats, Work work) {
  double best = 1e300;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    parallel(parts, threads, work);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

}  // namespace

double stream_bandwidth(int read, long long n, int threads, int repeats) {
  std::vector<std::unique_ptr<float, Free>> arrays;
  const long long parts = (n + kPart - 1) / kPart;
  for (int k = 0; k <= read; ++k) arrays.push_back(numbers(parts * kPart));
  const double best = std::min(
      least_seconds(parts, threads, repeats,
                    [&](long long begin, long long end) { combine<false>(arrays, begin * kPart, end * kPart); }),
      least_seconds(parts, threads, repeats,
                    [&](long long begin, long long end) { combine<true>(arrays, begin * kPart, end * kPart); }));
  return static_cast<double>(read + 1) * sizeof(float) * static_cast<double>(parts * kPart) / best;
}

double update_bandwidth(int read_only, int read_write, long long n, int threads, int repeats) {
  std::vector<std::unique_ptr<float, Free>> arrays;
  const long long parts = (n + kPart - 1) / kPart;
  for (int k = 0; k < read_only + read_write; ++k) arrays.push_back(numbers(parts * kPart));
  const double best = least_seconds(parts, threads, repeats, [&](long long begin, long long end) {
    touch(arrays, read_only, begin * kPart, end * kPart);
  });
  return static_cast<double>(read_only + 2 * read_write) * sizeof(float) * static_cast<double>(parts * kPart) / best;
}

double peak_operations(int threads) {
  const double best = least_seconds(threads, threads, 5, [](long long, long long) { work_chains(); });
  return 2.0 * kChains * kRounds * kLanes<float> * threads / best;
}

template <class R>
void multiply_in_registers(double operations, int threads) {
  const double rounds = operations / (2.0 * kChains * kLanes<R> * threads);
  parallel(threads, threads, [&](long long begin, long long end) {
    for (; begin < end; ++begin) multiply_chains<R>(static_cast<long long>(rounds) + 1);
  });
}

template void multiply_in_registers<float>(double, int);

}  // namespace optlab
