#include "draws.hpp"

#include "landscape.hpp"
#include "noise.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

/// Many short rows: lanes are runs. Few long ones: lanes are elements, and threads share one row.
template <class R, class D>
void draw_matrix(R* out, i64 runs, i64 dim, u32 first_run, DrawAddress at, int threads) {
  constexpr int lanes = kLanes<R>;
  constexpr i64 chunk = 4096;  // elements of a row per part, a multiple of every block
  if (cheaper_layout<R>(runs, dim, true) == Layout::elements) {
    const i64 chunks = (dim + chunk - 1) / chunk;
    parallel(runs * chunks, threads, [&](i64 begin, i64 end) {
      for (i64 part = begin; part < end; ++part) {
        const i64 run = part / chunks, from = part % chunks * chunk;
        draw_row<R, D>(out + run * dim, std::min(dim, from + chunk), first_run + static_cast<u32>(run), at, from);
      }
    });
    return;
  }
  parallel((runs + lanes - 1) / lanes, threads, [&](i64 begin, i64 end) {
    for (i64 group = begin; group < end; ++group) {
      const i64 first = group * lanes;
      const int used = static_cast<int>(std::min<i64>(lanes, runs - first));
      draw_runs<R, D>(dim, first_run + static_cast<u32>(first), at, [&](i64 i, Pack<R> pack) {
        for (int lane = 0; lane < used; ++lane) out[(first + lane) * dim + i] = pack[lane];
      });
    }
  });
}

}  // namespace

template <class R>
void draw(R* out, i64 runs, i64 dim, Distribution kind, R radius, u32 first_run, DrawAddress at, int threads) {
  if (kind == Distribution::uniform) return draw_matrix<R, Uniform>(out, runs, dim, first_run, at, threads);
  if (kind == Distribution::normal) return draw_matrix<R, Normal>(out, runs, dim, first_run, at, threads);
  parallel(runs, threads, [&](i64 begin, i64 end) {
    for (i64 run = begin; run < end; ++run)
      draw_ball(out + run * dim, dim, radius, first_run + static_cast<u32>(run), at);
  });
}

void draw_indices(i64* out, i64 runs, i64 count, u32 high, u32 first_run, DrawAddress at) {
  for (i64 run = 0; run < runs; ++run)
    draw_indices(out + run * count, count, high, first_run + static_cast<u32>(run), at);
}

void draw_permutations(i64* out, i64 runs, i64 count, u32 first_run, DrawAddress at) {
  for (i64 run = 0; run < runs; ++run)
    draw_permutation(out + run * count, count, first_run + static_cast<u32>(run), at);
}

template void draw(float*, i64, i64, Distribution, float, u32, DrawAddress, int);
template void draw(double*, i64, i64, Distribution, double, u32, DrawAddress, int);

}  // namespace optlab
