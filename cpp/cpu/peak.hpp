// What this machine's vector units can do at most, measured: the limit against which benchmarks state their share.
#pragma once

namespace optlab {

/// Float32 operations per second of `threads` threads that do nothing but independent products and sums in registers.
double peak_operations(int threads);

}  // namespace optlab
