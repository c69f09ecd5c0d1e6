#include "peak.hpp"

#include <algorithm>
#include <chrono>

#include "pack.hpp"
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

}  // namespace

double peak_operations(int threads) {
  double best = 1e300;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    parallel(threads, threads, [](long long, long long) { work_chains(); });
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return 2.0 * kChains * kRounds * kLanes<float> * threads / best;
}

}  // namespace optlab
