#include "network_lanes.hpp"

#include "cross_entropy.hpp"
#include "lane_product.hpp"
#include "lane_samples.hpp"
#include "network_room.hpp"
#include "rows.hpp"

namespace optlab {
namespace {

constexpr i64 kAtOnce = 32;  // samples

template <class R>
struct BiasSum {
  CarriedTotal<Pack<R>> total;
  Pack<R> part;
};

template <class R>
struct LaneRoom {
  using P = Pack<R>;
  LaneRoom(const NetworkSetup<R>& s, bool backward, Cutter<R>& cut) {
    static_assert(sizeof(BiasSum<R>) == 3 * sizeof(P), "packs are cut for it");
    const auto packs = [&](i64 n) { return reinterpret_cast<P*>(cut.take(n * kLanes<R>)); };
    i64 widest = 0;
    y.push_back(packs(kAtOnce * s.layers.front().in));
    for (const Layer& layer : s.layers) {
      widest = std::max(widest, layer.out);
      y.push_back(packs(kAtOnce * layer.out));
      biases.push_back(reinterpret_cast<BiasSum<R>*>(packs(3 * layer.out)));
    }
    targets = packs(kAtOnce * s.layers.back().out);
    slope = packs(kAtOnce * widest);
    other_slope = packs(kAtOnce * widest);
    if (backward) block = packs(s.dim), chunk = packs(s.dim);
  }
  std::vector<P*> y;  ///< the inputs, and the outputs of every layer
  std::vector<BiasSum<R>*> biases;
  P *targets, *slope, *other_slope;
  P *block = nullptr, *chunk = nullptr;  ///< gradients of some of the samples
};

/// One evaluation. Samples come in chunks whose values and gradients are added up; the gradients of weights are summed
/// by blocks of a chunk, and a block is done a few samples at a time.
template <class R>
class LanePass {
 public:
  using P = Pack<R>;
  LanePass(const NetworkSetup<R>& setup, const P* theta, const Batch& batch, LaneRoom<R>& room)
      : s_(setup),
        theta_(theta),
        room_(room),
        wide_(setup.layers.back().out),
        samples_(setup.data, batch, wide_),
        draws_(setup.frozen ? setup.frozen.get() : batch.draws),
        run_(setup.frozen ? Bits<P>{} + setup.frozen_run : (lane_numbers<R>() + batch.run) & 0xffffffffu) {}

  void run(R* value, P* g) {
    P total{};
    for (i64 first = 0; first < samples_.count(); first += kNetworkRows) {
      P* grad = g && first ? room_.chunk : g;
      total = total + chunk(first, std::min(kNetworkRows, samples_.count() - first), grad);
      if (grad != g)
        for (i64 i = 0; i < s_.dim; ++i) g[i] = g[i] + grad[i];
    }
    store(value, total);
  }

 private:
  P chunk(i64 first, i64 rows, P* g) {
    const Reduction how = reduction(s_.loss, samples_.count(), wide_);
    ChunkedSum<P> terms(s_.loss.softmax_cross_entropy ? rows_per_chunk(wide_) : kChunk);
    const i64 blocks = parts_of(rows, kBlockK);
    for (i64 number = 0; number < blocks; ++number) {
      const Range block = part(rows, blocks, number);
      P* grad = g && number ? room_.block : g;
      for (i64 row = block.begin; row < block.end; row += kAtOnce) {
        const i64 n = std::min(kAtOnce, block.end - row);
        forward(first + row, n);
        loss(terms, first + row, n, how.template weight<R>(), g != nullptr);
        if (g) backward(grad, first, row, n, row == block.begin ? Into::fresh : Into::resumed, rows);
      }
      if (grad != g) add_weights(g, grad);
    }
    if (g) finish_biases(g);
    return terms.result() / static_cast<R>(how.divisor);
  }

  void forward(i64 first, i64 n) {
    samples_.gather(room_.y[0], s_.data.x, s_.layers.front().in, first, n);
    for (std::size_t k = 0; k < s_.layers.size(); ++k) {
      const Layer& layer = s_.layers[k];
      P* y = room_.y[k + 1];
      multiply_lanes_in_blocks<R>(y, {room_.y[k], layer.in, 1}, {theta_ + layer.weight, layer.in, 1},
                                  {n, layer.out, layer.in});
      if (layer.bias >= 0)
        for (i64 i = 0; i < n; ++i)
          for (i64 j = 0; j < layer.out; ++j) y[i * layer.out + j] = y[i * layer.out + j] + theta_[layer.bias + j];
      if (layer.last) return;
      s_.options.activation->forward(numbers(y), numbers(y), n * layer.out * kLanes<R>, s_.options.parameter);
      drop_out(y, layer, first, n);
    }
  }

  void drop_out(P* x, const Layer& layer, i64 first, i64 n) const {
    const double p = s_.options.dropout;
    if (p == 0 || !draws_) return;
    const i64 element = samples_.count() * layer.dropped_before + first * layer.out;
    dropout_runs<R>(x, element, n * layer.out, static_cast<R>(1 / (1 - p)), dropout_threshold(p), run_, *draws_);
  }

  /// The gradient by what the activation was given.
  void through_activation(P* dz, P* y, const Layer& layer, i64 first, i64 n) const {
    const i64 count = n * layer.out * kLanes<R>;
    const Activation<R>& f = *s_.options.activation;
    const R parameter = s_.options.parameter;
    drop_out(dz, layer, first, n);
    if (s_.options.dropout > 0 && draws_)
      unmask(numbers(y), numbers(y), count, static_cast<R>(1 - s_.options.dropout), f, parameter);
    f.backward(numbers(dz), numbers(dz), numbers(y), count, parameter);
  }

  /// Adds the terms of n samples, and leaves the gradient by the outputs.
  void loss(ChunkedSum<P>& terms, i64 first, i64 n, R weight, bool backward) {
    const P* y = room_.y.back();
    P* d = backward ? room_.slope : nullptr;
    if (!s_.data.labels) samples_.gather(room_.targets, s_.data.targets, wide_, first, n);
    if (!s_.loss.softmax_cross_entropy)
      return add_loss_lanes(s_.loss.kind, terms, d, y, room_.targets, n * wide_, static_cast<R>(s_.loss.option),
                            weight);
    for (i64 i = 0; i < n; ++i) {
      LaneTargets<R> targets{s_.data.labels != nullptr, {}, room_.targets + i * wide_, s_.loss.label_smoothing};
      if (targets.labelled) targets.labels = samples_.label(first + i);
      terms.add(softmax_cross_entropy_lanes(d ? d + i * wide_ : nullptr, y + i * wide_, wide_, targets, weight));
    }
  }

  void backward(P* g, i64 first, i64 row, i64 n, Into into, i64 rows) {
    for (std::size_t k = s_.layers.size(); k-- > 0;) {
      const Layer& layer = s_.layers[k];
      P* dz = room_.slope;
      if (!layer.last) through_activation(dz, room_.y[k + 1], layer, first + row, n);
      if (layer.bias >= 0) add_biases(room_.biases[k], dz, layer.out, row, n, rows);
      multiply_lanes<R>(g + layer.weight, {dz, 1, layer.out}, {room_.y[k], 1, layer.in}, {layer.out, layer.in, n},
                        into);
      if (k == 0) continue;
      multiply_lanes_in_blocks<R>(room_.other_slope, {dz, layer.out, 1}, {theta_ + layer.weight, 1, layer.in},
                                  {n, layer.in, layer.out});
      std::swap(room_.slope, room_.other_slope);
    }
  }

  /// Sums of columns over all rows: by blocks, whose sums are added with the rounding error carried along.
  void add_biases(BiasSum<R>* sums, const P* dz, i64 out, i64 row, i64 n, i64 rows) {
    for (i64 j = 0; j < out; ++j) {
      BiasSum<R> sum = row == 0 ? BiasSum<R>{} : sums[j];
      for (i64 i = 0; i < n;) {
        for (const i64 end = std::min(n, i + kBiasBlock - (row + i) % kBiasBlock); i < end; ++i)
          sum.part = sum.part + dz[i * out + j];
        if ((row + i) % kBiasBlock && row + i < rows) continue;
        sum.total.add(sum.part);
        sum.part = P{};
      }
      sums[j] = sum;
    }
  }
  void finish_biases(P* g) const {
    for (std::size_t k = 0; k < s_.layers.size(); ++k)
      for (i64 j = 0; s_.layers[k].bias >= 0 && j < s_.layers[k].out; ++j)
        g[s_.layers[k].bias + j] = room_.biases[k][j].total.result();
  }
  void add_weights(P* to, const P* from) const {
    for (const Layer& layer : s_.layers)
      for (i64 i = layer.weight; i < layer.weight + layer.out * layer.in; ++i) to[i] = to[i] + from[i];
  }

  static R* numbers(P* packs) { return reinterpret_cast<R*>(packs); }

  const NetworkSetup<R>& s_;
  const P* theta_;
  LaneRoom<R>& room_;
  const i64 wide_;
  const LaneSamples<R> samples_;
  const DrawAddress* draws_;  // none: no dropout
  const Bits<P> run_;
};

}  // namespace

template <class R>
bool lanes_can_be_runs(const NetworkSetup<R>& s) {
  if (s.loss.jacobian > 0) return false;
  return std::all_of(s.layers.begin(), s.layers.end(), [](const Layer& l) { return l.norm == LayerNorm::none; });
}

template <class R>
i64 lane_bytes(const NetworkSetup<R>& setup) {
  i64 wide = setup.layers.front().in;
  for (const Layer& layer : setup.layers) wide += layer.out;
  return (setup.dim + kAtOnce * wide) * kRegister;
}

template <class R>
void evaluate_lanes(const NetworkSetup<R>& setup, R* value, Pack<R>* g, const Pack<R>* theta, const Batch& batch,
                    Buffer<Pack<R>>& scratch) {
  Cutter<R> count(nullptr);
  LaneRoom<R>(setup, g != nullptr, count);
  scratch.reserve((count.used() + kLanes<R> - 1) / kLanes<R>);
  Cutter<R> cut(reinterpret_cast<R*>(scratch.get()));
  LaneRoom<R> room(setup, g != nullptr, cut);
  LanePass<R>(setup, theta, batch, room).run(value, g);
}

#define OPTLAB_INSTANTIATE(R)                              \
  template bool lanes_can_be_runs(const NetworkSetup<R>&); \
  template i64 lane_bytes(const NetworkSetup<R>&);         \
  template void evaluate_lanes(const NetworkSetup<R>&, R*, Pack<R>*, const Pack<R>*, const Batch&, Buffer<Pack<R>>&);
OPTLAB_INSTANTIATE(float)
OPTLAB_INSTANTIATE(double)

}  // namespace optlab
