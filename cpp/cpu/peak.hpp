// What this machine can do at most, measured: the limits against which benchmarks state their share.
#pragma once

namespace optlab {

/// Float32 operations per second of `threads` threads that do nothing but independent products and sums in registers.
double peak_operations(int threads);

/// The same of fused multiply-adds (two operations each), the limit of a matrix product of R.
template <class R>
double product_peak(int threads);

/// Bytes per second of a pass over arrays of n float32 that reads `read_only` of them and updates `read_write` of them
/// in place, doing next to nothing with them; the best of many passes.
double update_bandwidth(int read_only, int read_write, long long n, int threads, int repeats);

/// The same of a pass that reads `read` arrays and writes another, past the caches where that is faster.
double stream_bandwidth(int read, long long n, int threads, int repeats);

}  // namespace optlab
