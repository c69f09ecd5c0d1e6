#include "dropout.hpp"

#include "environment.hpp"
#include "threads.hpp"

namespace optlab {

template <class R>
void dropout(R* y, const R* x, i64 n, double p, u32 run, DrawAddress at, int threads) {
  constexpr i64 chunk = 4096;
  const FloatEnvironment environment;  // for the rounding of the scale
  const R keep_scale = static_cast<R>(1.0 / (1.0 - p));
  const u32 threshold = dropout_threshold(p);
  parallel((n + chunk - 1) / chunk, threads, [=](i64 begin, i64 end) {
    const i64 first = begin * chunk;
    dropout_span(y + first, x + first, first, std::min(n, end * chunk) - first, keep_scale, threshold, run, at);
  });
}

template void dropout(float*, const float*, i64, double, u32, DrawAddress, int);
template void dropout(double*, const double*, i64, double, u32, DrawAddress, int);

}  // namespace optlab
