#include "evaluate.hpp"

#include <algorithm>

#include "threads.hpp"

namespace optlab {

template <class R>
void evaluate(const Landscape<R>& f, EvaluateArrays<R> a, i64 runs, Batch batch, int threads) {
  const Layout layout = choose_layout(f, runs, false);
  const i64 width = layout == Layout::runs ? kLanes<R> : 1, packs = f.packs(layout), dim = f.dim;
  batch.threads = threads;
  parallel((runs + width - 1) / width, threads, [&](i64 begin, i64 end) {
    Buffer<Pack<R>> x(packs), v(packs), out(packs), scratch;
    alignas(kRegister) R value[kLanes<R>];
    for (i64 group = begin; group < end; ++group) {
      const i64 first = group * width;
      const int lanes = static_cast<int>(std::min(width, runs - first));
      const auto each_lane = [&](auto visit) {
        for (int lane = 0; lane < lanes; ++lane) visit(lane, (first + lane) * dim);
      };
      each_lane([&](int lane, i64 at) { load_row(x.get(), layout, dim, lane, a.x + at); });
      if (a.value && a.grad)
        f.value_and_grad(value, out.get(), x.get(), layout, batch, scratch);
      else if (a.value)
        f.value(value, x.get(), layout, batch, scratch);
      else if (a.grad)
        f.grad(out.get(), x.get(), layout, batch, scratch);
      if (a.value) std::copy(value, value + lanes, a.value + first);
      if (a.grad) each_lane([&](int lane, i64 at) { store_row(out.get(), layout, dim, lane, a.grad + at); });
      if (a.hvp) {
        each_lane([&](int lane, i64 at) { load_row(v.get(), layout, dim, lane, a.v + at); });
        f.hvp(out.get(), x.get(), v.get(), layout, batch, scratch);
        each_lane([&](int lane, i64 at) { store_row(out.get(), layout, dim, lane, a.hvp + at); });
      }
    }
  });
}

template void evaluate(const Landscape<float>&, EvaluateArrays<float>, i64, Batch, int);
template void evaluate(const Landscape<double>&, EvaluateArrays<double>, i64, Batch, int);

}  // namespace optlab
