// The thread pool: static partition, safe after fork, asleep some 200 us after its last work.
#pragma once
#include <functional>

namespace optlab {

/// Calls work(begin, end) on consecutive parts of [0, count) in at most `threads` threads, the caller's own among them.
/// The partition never influences a result. An exception of any part is thrown again here after all have ended.
void parallel(long long count, int threads, const std::function<void(long long, long long)>& work);

}  // namespace optlab
