// The thread pool: static partition, safe after fork, asleep some 200 us after its last work.
#pragma once
#include <algorithm>
#include <functional>

namespace optlab {

/// Calls work(begin, end) on consecutive parts of [0, count) in at most `threads` threads, the caller's own among them.
/// The partition never influences a result. An exception of any part is thrown again here after all have ended.
void parallel(long long count, int threads, const std::function<void(long long, long long)>& work);

/// What each of several threads should have to do, in elements and in multiply-adds: less is done by one before another
/// has begun.
inline constexpr long long kElementsEach = 1 << 14, kProductsEach = 1 << 17;

/// So many of at most `threads` that each has that to do.
inline int worthwhile(int threads, long long work, long long each = kElementsEach) {
  return static_cast<int>(std::clamp<long long>(work / each, 1, std::max(threads, 1)));
}

}  // namespace optlab
