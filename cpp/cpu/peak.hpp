// What this machine can do at most, measured: the limits against which benchmarks state their share.
#pragma once

namespace optlab {

/// Float32 operations per second of `threads` threads that do nothing but independent products and sums in registers.
double peak_operations(int threads);

/// At least so many operations of nothing but independent fused multiply-adds (two operations each) of R in registers,
/// shared by `threads` threads: the limit of a matrix product, run for as long as one.
template <class R>
void multiply_in_registers(double operations, int threads);

/// Bytes per second of a pass over arrays of n float32 that reads `read_only` of them and updates `read_write` of them
/// in place, doing next to nothing with them; the best of many passes.
double update_bandwidth(int read_only, int read_write, long long n, int threads, int repeats);

/// The same of a pass that reads `read` arrays and writes another, past the caches where that is faster.
double stream_bandwidth(int read, long long n, int threads, int repeats);

}  // namespace optlab
