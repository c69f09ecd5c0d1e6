#include "evaluate.hpp"

#include <algorithm>
#include <type_traits>

#include "threads.hpp"

namespace optlab {
namespace {

template <class R>
struct Room {
  explicit Room(i64 packs) : x(packs), v(packs), out(packs) {}
  Buffer<Pack<R>> x, v, out;
};

/// Memory for the working of a landscape, kept by each thread from call to call while it is small: fresh pages would
/// cost a middle-sized network a tenth of a Hessian-vector product.
template <class R>
class KeptScratch {
 public:
  KeptScratch() : room_(kept()) {}
  ~KeptScratch() {
    constexpr i64 most = 1 << 25;  // bytes
    if (room_.size() * static_cast<i64>(sizeof(Pack<R>)) > most) room_ = {};
  }
  operator Buffer<Pack<R>>&() { return room_; }

 private:
  static Buffer<Pack<R>>& kept() {
    static thread_local Buffer<Pack<R>> room;
    return room;
  }
  Buffer<Pack<R>>& room_;
};

/// The value and the gradient, or the one of them that is wanted.
template <class R>
void measure(const Landscape<R>& f, R* value, Pack<R>* grad, const Pack<R>* x, Layout layout, const Batch& batch,
             Buffer<Pack<R>>& scratch) {
  if (value && grad)
    f.value_and_grad(value, grad, x, layout, batch, scratch);
  else if (value)
    f.value(value, x, layout, batch, scratch);
  else if (grad)
    f.grad(grad, x, layout, batch, scratch);
}

/// One point where it stands, its results where they are wanted.
template <class R>
void evaluate_in_place(const Landscape<R>& f, const EvaluateArrays<R>& a, i64 run, Batch batch,
                       Buffer<Pack<R>>& scratch) {
  const Layout layout = Layout::elements;
  const auto packs = [&](auto* rows) {
    using P = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(rows)>>, const Pack<R>, Pack<R>>;
    return reinterpret_cast<P*>(rows ? rows + run * f.dim : nullptr);
  };
  measure(f, a.value ? a.value + run : nullptr, packs(a.grad), packs(a.x), layout, batch, scratch);
  if (a.hvp) f.hvp(packs(a.hvp), packs(a.x), packs(a.v), layout, batch, scratch);
}

/// The points of a group, copied into packs.
template <class R>
void evaluate_group(const Landscape<R>& f, const EvaluateArrays<R>& a, i64 first, int lanes, Layout layout, Batch batch,
                    Room<R>& room, Buffer<Pack<R>>& scratch) {
  const i64 dim = f.dim;
  alignas(kRegister) R value[kLanes<R>];
  const auto each_lane = [&](auto visit) {
    for (int lane = 0; lane < lanes; ++lane) visit(lane, (first + lane) * dim);
  };
  each_lane([&](int lane, i64 at) { load_row(room.x.get(), layout, dim, lane, a.x + at); });
  measure(f, a.value ? value : nullptr, a.grad ? room.out.get() : nullptr, room.x.get(), layout, batch, scratch);
  if (a.value) std::copy(value, value + lanes, a.value + first);
  if (a.grad) each_lane([&](int lane, i64 at) { store_row(room.out.get(), layout, dim, lane, a.grad + at); });
  if (!a.hvp) return;
  each_lane([&](int lane, i64 at) { load_row(room.v.get(), layout, dim, lane, a.v + at); });
  f.hvp(room.out.get(), room.x.get(), room.v.get(), layout, batch, scratch);
  each_lane([&](int lane, i64 at) { store_row(room.out.get(), layout, dim, lane, a.hvp + at); });
}

}  // namespace

template <class R>
void evaluate(const Landscape<R>& f, EvaluateArrays<R> a, i64 runs, Batch batch, int threads) {
  // What may stand anywhere has its products in a direction there.
  const Layout layout = a.hvp && f.in_place() ? Layout::elements : f.layout_for(runs, false);
  const i64 width = layout == Layout::runs ? kLanes<R> : 1;
  const bool in_place = f.in_place() && layout == Layout::elements;
  batch.threads = threads;
  parallel((runs + width - 1) / width, threads, [&](i64 begin, i64 end) {
    Room<R> room(in_place ? 0 : f.packs(layout));
    KeptScratch<R> scratch;
    for (i64 group = begin; group < end; ++group)
      if (in_place)
        evaluate_in_place(f, a, group, batch, scratch);
      else
        evaluate_group(f, a, group * width, static_cast<int>(std::min(width, runs - group * width)), layout, batch,
                       room, scratch);
  });
}

template void evaluate(const Landscape<float>&, EvaluateArrays<float>, i64, Batch, int);
template void evaluate(const Landscape<double>&, EvaluateArrays<double>, i64, Batch, int);

}  // namespace optlab
