// The memory of one pass through a network, cut from one buffer.
#pragma once
#include "network.hpp"

namespace optlab {

/// Cuts arrays from a buffer, or only counts what they need.
template <class R>
class Cutter {
 public:
  explicit Cutter(R* buffer) : buffer_(buffer) {}
  R* take(i64 n) {
    constexpr i64 line = 64 / sizeof(R);
    R* at = buffer_ ? buffer_ + used_ : nullptr;
    used_ += (n + line - 1) / line * line;
    return at;
  }
  i64 used() const { return used_; }

 private:
  R* buffer_;
  i64 used_ = 0;
};

/// jacobian: a gradient, with that of the penalty on the derivatives of outputs by inputs.
enum class PassKind { value, gradient, jacobian, curvature };

/// Arrays for so many rows. Those of tangents are there where they are wanted.
template <class R>
struct NetworkRoom {
  /// `part` numbers are wanted for the gradient of some of the rows.
  NetworkRoom(const std::vector<Layer>& layers, i64 rows, i64 part_size, PassKind kind, Cutter<R>& cut) {
    i64 widest = 0;
    x = cut.take(rows * layers.front().in);
    targets = cut.take(rows * layers.back().out);
    for (const Layer& layer : layers) {
      widest = std::max({widest, layer.out, layer.in});
      arrays.push_back(of_layer(layer, rows, cut));
      if (kind >= PassKind::jacobian) dots.push_back(of_layer(layer, rows, cut));
    }
    slopes = {};
    slopes.v = cut.take(rows * widest);  // the loss leaves its gradient there
    if (kind == PassKind::value) return;
    slopes.other_v = cut.take(rows * widest);
    part = cut.take(part_size);
    if (kind == PassKind::gradient) return;
    slopes.d = cut.take(rows * widest);
    slopes.other_d = cut.take(rows * widest);
    slopes.few = cut.take(2 * widest);
    if (kind == PassKind::jacobian) direction = cut.take(rows * layers.front().in);
  }

  static LayerArrays<R> of_layer(const Layer& layer, i64 rows, Cutter<R>& cut) {
    LayerArrays<R> a{cut.take(rows * layer.out), nullptr, nullptr, nullptr};
    if (layer.norm == LayerNorm::none) return a;
    const i64 groups = layer.norm == LayerNorm::batch ? layer.out : rows * layer.groups;
    a.inner = cut.take(rows * layer.out);
    a.mean = cut.take(groups);
    a.rstd = cut.take(groups);
    return a;
  }

  R *x, *targets, *part = nullptr, *direction = nullptr;
  std::vector<LayerArrays<R>> arrays, dots;
  Slopes<R> slopes;
};

}  // namespace optlab
