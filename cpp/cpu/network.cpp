#include "network.hpp"

#include "cross_entropy.hpp"
#include "environment.hpp"
#include "network_lanes.hpp"
#include "network_penalty.hpp"
#include "network_room.hpp"
#include "scratch.hpp"
#include "spans.hpp"

namespace optlab {
namespace {

constexpr i64 kSmallNetwork = 1 << 20;  // bytes

template <class R>
class Feedforward final : public Network<R> {
 public:
  using P = Pack<R>;
  explicit Feedforward(NetworkSetup<R> setup) : Network<R>(setup.dim), s_(std::move(setup)) {
    for (const Layer& layer : s_.layers)
      if (layer.norm == LayerNorm::batch) columns_ += layer.out;
  }

  bool supports(Layout layout) const override { return layout == Layout::elements || lanes_can_be_runs(s_); }
  /// A group of runs wants to stay in the cache of a core, and at least half of the lanes must be busy to be worth it.
  Layout layout_for(i64 runs, bool) const override {
    const bool small = lane_bytes(s_) <= kSmallNetwork, many = runs > 1 && 2 * runs >= kLanes<R>;
    return small && many && lanes_can_be_runs(s_) ? Layout::runs : Layout::elements;
  }
  i64 samples() const override { return s_.data.samples; }
  bool in_place() const override { return true; }
  bool random() const override { return (s_.options.dropout > 0 || s_.options.noise.on()) && !s_.frozen; }
  i64 averages() const override { return 2 * columns_; }

  void value(R* out, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const override {
    if (layout == Layout::runs) return lanes(out, nullptr, x, batch, scratch);
    run(s_.loss.jacobian > 0 ? PassKind::jacobian : PassKind::value, out, nullptr, numbers(x), nullptr, batch, scratch);
  }
  void grad(P* g, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const override {
    value_and_grad(nullptr, g, x, layout, batch, scratch);
  }
  void value_and_grad(R* out, P* g, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const override {
    if (layout == Layout::runs) return lanes(out, g, x, batch, scratch);
    const PassKind kind = s_.loss.jacobian > 0 ? PassKind::jacobian : PassKind::gradient;
    run(kind, out, numbers(g), numbers(x), nullptr, batch, scratch);
  }
  void hvp(P* h, const P* x, const P* v, Layout, Batch batch, Buffer<P>& scratch) const override {
    run(PassKind::curvature, nullptr, numbers(h), numbers(x), numbers(v), batch, scratch);
  }

  void outputs(R* out, const R* theta, const R* x, i64 rows, const R* mean, const R* var, int threads) const override {
    const FloatEnvironment environment;
    const i64 at_once = columns_ && !mean ? rows : kNetworkRows, wide = s_.layers.back().out;
    Buffer<P> scratch;
    for (i64 first = 0; first < rows; first += at_once) {
      const i64 count = std::min(at_once, rows - first);
      const NetworkRoom<R> room = room_for(PassKind::value, count, 0, scratch);
      const Evaluation<R> e{theta, count, first, rows, nullptr, 0, threads, nullptr, nullptr, mean, var};
      forward(room, e, s_.options, x + first * s_.layers.front().in);
      std::copy_n(room.arrays.back().y, count * wide, out + first * wide);
    }
  }

  void statistics(R* mean, R* var, const R* theta, const R* x, i64 rows, int threads) const override {
    const FloatEnvironment environment;
    Buffer<P> scratch;
    LayerOptions<R> options = s_.options;
    options.momentum = R(1);
    std::fill_n(mean, columns_, R(0));
    std::fill_n(var, columns_, R(0));
    const Evaluation<R> e{theta, rows, 0, rows, nullptr, 0, threads, mean, var, nullptr, nullptr};
    forward(room_for(PassKind::value, rows, 0, scratch), e, options, x);
  }

  void layer_outputs(R* out, const R* theta, std::size_t layer, Batch batch) const override {
    const FloatEnvironment environment;
    const i64 all = samples(), at_once = columns_ ? all : kNetworkRows, wide = s_.layers[layer].out;
    Buffer<P> scratch;
    for (i64 first = 0; first < all; first += at_once) {
      const i64 rows = std::min(at_once, all - first);
      const NetworkRoom<R> room = room_for(PassKind::value, rows, 0, scratch);
      forward(room, evaluation(theta, first, rows, all, batch), s_.options, gathered(room, batch, first, rows));
      std::copy_n(room.arrays[layer].y, rows * wide, out + first * wide);
    }
  }

  void norms(R* values, R* slopes, const R* theta, Batch batch) const override {
    const FloatEnvironment environment;
    Buffer<P> scratch;
    const i64 rows = batch.index ? batch.size : samples();
    NetworkRoom<R> room = room_for(PassKind::gradient, rows, this->dim, scratch);
    const Evaluation<R> e = evaluation(theta, 0, rows, rows, batch);
    const R* x = gathered(room, batch, 0, rows);
    forward(room, e, s_.options, x);
    const auto norm = [&](const R* of, std::size_t k) {
      double sum = 0;
      for (i64 i = 0; i < rows * s_.layers[k].out; ++i) sum += static_cast<double>(of[i]) * static_cast<double>(of[i]);
      return static_cast<R>(sqrt<double>(sum));
    };
    R value;
    loss(&value, room, batch, 0, rows, rows);
    for (std::size_t k = s_.layers.size(); k-- > 0;) {
      values[k] = norm(room.arrays[k].y, k);
      slopes[k] = norm(room.slopes.v, k);
      pass(k, e).backward(room.slopes, room.part, room.arrays[k], inputs(room, k, x), k > 0);
    }
  }

 private:
  static const R* numbers(const P* x) { return reinterpret_cast<const R*>(x); }
  static R* numbers(P* x) { return reinterpret_cast<R*>(x); }

  void lanes(R* value, P* g, const P* x, const Batch& batch, Buffer<P>& scratch) const {
    alignas(kRegister) R total[kLanes<R>];
    evaluate_lanes(s_, total, g, x, batch, scratch);
    if (value) std::copy_n(total, kLanes<R>, value);
    penalize<R, true>(value, numbers(g), numbers(x), nullptr, this->dim, s_.loss);
  }

  LayerPass<R> pass(std::size_t k, const Evaluation<R>& e) const { return {s_.layers[k], s_.options, e}; }
  const R* inputs(const NetworkRoom<R>& room, std::size_t k, const R* x) const { return k ? room.arrays[k - 1].y : x; }

  NetworkRoom<R> room_for(PassKind kind, i64 rows, i64 part, Buffer<P>& scratch) const {
    Cutter<R> count(nullptr);
    NetworkRoom<R>(s_.layers, rows, part, kind, count);
    scratch.reserve((count.used() + kLanes<R> - 1) / kLanes<R>);
    Cutter<R> cut(numbers(scratch.get()));
    return NetworkRoom<R>(s_.layers, rows, part, kind, cut);
  }

  Evaluation<R> evaluation(const R* theta, i64 first, i64 rows, i64 all, const Batch& batch) const {
    R* averages = static_cast<R*>(batch.averages);
    return {theta,
            rows,
            first,
            all,
            s_.frozen ? s_.frozen.get() : batch.draws,
            s_.frozen ? s_.frozen_run : batch.run,
            batch.threads,
            averages,
            averages ? averages + columns_ : nullptr,
            nullptr,
            nullptr};
  }

  /// Value and gradient, or Hessian-vector product in the direction v, of the whole batch, some rows at a time.
  void run(PassKind kind, R* value, R* g, const R* theta, const R* v, const Batch& batch, Buffer<P>& scratch) const {
    const i64 all = batch.index ? batch.size : samples(), at_once = columns_ ? all : std::min(all, kNetworkRows);
    R total(0);
    for (i64 first = 0; first < all; first += at_once) {
      const i64 rows = std::min(at_once, all - first);
      NetworkRoom<R> room =
          room_for(kind, rows, at_once < all || kind == PassKind::jacobian ? 2 * this->dim : 0, scratch);
      R part, *grad = first && g ? room.part : g;
      some_rows(kind, &part, grad, theta, v, batch, room, first, rows, all);
      total += part;
      if (g && first)
        for (i64 i = 0; i < this->dim; ++i) g[i] += grad[i];
    }
    if (value) *value = total;
    penalize<R, false>(value, g, theta, v, this->dim, s_.loss);
  }

  void some_rows(PassKind kind, R* value, R* g, const R* theta, const R* v, const Batch& batch, NetworkRoom<R>& room,
                 i64 first, i64 rows, i64 all) const {
    const Evaluation<R> e = evaluation(theta, first, rows, all, batch);
    const R* x = gathered(room, batch, first, rows);
    forward(room, e, s_.options, x);
    if (kind == PassKind::curvature) forward_tangent(room, e, v, x);
    loss(value, room, batch, first, rows, all);
    for (std::size_t k = s_.layers.size(); g && k-- > 0;)
      if (kind != PassKind::curvature)
        pass(k, e).backward(room.slopes, g, room.arrays[k], inputs(room, k, x), k > 0);
      else
        pass(k, e).backward_tangent(room.slopes, g, room.dots[k], k ? room.dots[k - 1].y : nullptr, v, room.arrays[k],
                                    inputs(room, k, x), k > 0);
    if (kind == PassKind::jacobian) *value += penalize_jacobian(g, room, e, x);
  }

  /// jacobian / 2 times the mean over samples of the squared derivatives of all outputs by all inputs. The gradient of
  /// |d|^2 / 2, d = dh/dx for an output h, is the derivative of dh/dtheta in the direction d of x.
  R penalize_jacobian(R* g, NetworkRoom<R>& room, const Evaluation<R>& e, const R* x) const {
    const i64 wide = s_.layers.back().out, inputs_count = e.rows * s_.layers.front().in;
    const R weight = static_cast<R>(s_.loss.jacobian / static_cast<double>(e.all_rows));
    R* part = room.part + this->dim;
    Sum<R> squares;
    for (i64 output = 0; output < wide; ++output) {
      choose_output(room.slopes.v, e.rows, wide, output);
      for (std::size_t k = s_.layers.size(); k-- > 0;)
        pass(k, e).backward(room.slopes, nullptr, room.arrays[k], inputs(room, k, x), true);
      std::copy_n(room.slopes.v, inputs_count, room.direction);
      for (i64 i = 0; i < inputs_count; ++i) squares.add(room.direction[i] * room.direction[i]);
      if (!g) continue;
      for (std::size_t k = 0; k < s_.layers.size(); ++k)
        pass(k, e).forward_tangent(room.dots[k], k ? room.dots[k - 1].y : room.direction, nullptr, room.arrays[k],
                                   inputs(room, k, x));
      choose_output(room.slopes.v, e.rows, wide, output);
      std::fill_n(room.slopes.d, e.rows * wide, R(0));
      for (std::size_t k = s_.layers.size(); k-- > 0;)
        pass(k, e).backward_tangent(room.slopes, part, room.dots[k], k ? room.dots[k - 1].y : room.direction, nullptr,
                                    room.arrays[k], inputs(room, k, x), k > 0);
      for (i64 i = 0; i < this->dim; ++i) g[i] += weight * part[i];
    }
    return weight / 2 * squares.result();
  }
  static void choose_output(R* slopes, i64 rows, i64 wide, i64 output) {
    std::fill_n(slopes, rows * wide, R(0));
    for (i64 i = 0; i < rows; ++i) slopes[i * wide + output] = R(1);
  }

  void forward(const NetworkRoom<R>& room, const Evaluation<R>& e, const LayerOptions<R>& options, const R* x) const {
    for (std::size_t k = 0; k < s_.layers.size(); ++k)
      LayerPass<R>(s_.layers[k], options, e).forward(room.arrays[k], inputs(room, k, x));
  }
  void forward_tangent(const NetworkRoom<R>& room, const Evaluation<R>& e, const R* v, const R* x) const {
    for (std::size_t k = 0; k < s_.layers.size(); ++k)
      pass(k, e).forward_tangent(room.dots[k], k ? room.dots[k - 1].y : nullptr, v, room.arrays[k], inputs(room, k, x));
  }

  const R* gathered(const NetworkRoom<R>& room, const Batch& batch, i64 first, i64 rows) const {
    const i64 wide = s_.layers.front().in;
    if (!batch.index) return s_.data.x + first * wide;
    for (i64 i = 0; i < rows; ++i) {  // a call to copy would take longer than a short row
      const R* from = s_.data.x + batch.index[first + i] * wide;
      R* to = room.x + i * wide;
      for_packs<R>(wide, [=](i64, auto in, auto out) { out(to, in(from)); });
    }
    return room.x;
  }

  /// The rows' part of the loss; the gradient by the outputs, and its derivative where there is room for it.
  void loss(R* value, const NetworkRoom<R>& room, const Batch& batch, i64 first, i64 rows, i64 all) const {
    const i64 wide = s_.layers.back().out;
    const Reduction how = reduction(s_.loss, all, wide);
    const R* targets = nullptr;
    const i64* labels = nullptr;
    static thread_local Scratch<i64> label_room;
    if (s_.data.labels && batch.index) {
      i64* to = label_room.get(static_cast<std::size_t>(rows));
      for (i64 i = 0; i < rows; ++i) to[i] = s_.data.labels[batch.index[first + i]];
      labels = to;
    } else if (s_.data.labels) {
      labels = s_.data.labels + first;
    } else if (batch.index) {
      for (i64 i = 0; i < rows; ++i)
        std::copy_n(s_.data.targets + batch.index[first + i] * wide, wide, room.targets + i * wide);
      targets = room.targets;
    } else {
      targets = s_.data.targets + first * wide;
    }
    const R* y = room.arrays.back().y;
    R* dy = room.slopes.other_v ? room.slopes.v : nullptr;
    const bool tangent = !room.dots.empty() && !room.direction;
    if (s_.loss.softmax_cross_entropy) {
      const CrossEntropyOf<R> of{y, labels, targets, rows, wide, s_.loss.label_smoothing, how};
      softmax_cross_entropy(value, dy, of, batch.threads);
      if (tangent) softmax_cross_entropy_tangent(value, room.slopes.d, room.dots.back().y, of, batch.threads);
      return;
    }
    const LossOf<R> of{y, targets, rows * wide, s_.loss.option, how};
    optlab::loss(s_.loss.kind, value, dy, of, batch.threads);
    if (tangent) loss_tangent(s_.loss.kind, value, room.slopes.d, room.dots.back().y, of, batch.threads);
  }

  NetworkSetup<R> s_;
  i64 columns_ = 0;
};

}  // namespace

template <class R>
std::unique_ptr<Network<R>> make_network(NetworkSetup<R> setup) {
  return std::make_unique<Feedforward<R>>(std::move(setup));
}

template std::unique_ptr<Network<float>> make_network(NetworkSetup<float>);
template std::unique_ptr<Network<double>> make_network(NetworkSetup<double>);

}  // namespace optlab
