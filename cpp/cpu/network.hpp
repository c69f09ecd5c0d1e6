// A feed-forward network with a loss over a data set, as a landscape of its parameters.
#pragma once
#include <memory>
#include <vector>

#include "landscape.hpp"
#include "losses.hpp"
#include "network_layer.hpp"

namespace optlab {

struct NetworkLoss {
  bool softmax_cross_entropy;
  LossKind kind;  ///< where it is not that
  double option, label_smoothing, weight_decay, l1, jacobian;
};

/// `owner` keeps the memory of the data alive.
template <class R>
struct NetworkData {
  const R* x;
  i64 samples;
  const i64* labels;  ///< one class for each sample, or
  const R* targets;   ///< a row of as many numbers as the network puts out
  std::shared_ptr<const void> owner;
};

template <class R>
struct NetworkSetup {
  i64 dim;
  std::vector<Layer> layers;
  LayerOptions<R> options;
  NetworkLoss loss;
  NetworkData<R> data;
  std::unique_ptr<DrawAddress> frozen;  ///< where masks are drawn whoever asks, or none
  u32 frozen_run = 0;
};

/// How the terms of so many samples with so many outputs become the loss.
inline Reduction reduction(const NetworkLoss& loss, i64 samples, i64 outputs) {
  const bool by_row = loss.softmax_cross_entropy || loss.kind == LossKind::kl_divergence;
  return {false, static_cast<double>(samples) * (by_row ? 1.0 : static_cast<double>(outputs))};
}

/// So many samples are done at a time where batch normalization does not tie all of them together: memory has an end.
inline constexpr i64 kNetworkRows = 4096;

template <class R>
class Network : public Landscape<R> {
 public:
  using Landscape<R>::Landscape;
  /// What the network puts out for rows of inputs, without dropout, normalized by the given statistics (or the rows'
  /// own, for null) of all columns that batch normalization averages.
  virtual void outputs(R* out, const R* theta, const R* x, i64 rows, const R* mean, const R* var,
                       int threads) const = 0;
  /// The statistics of these rows, the variance unbiased.
  virtual void statistics(R* mean, R* var, const R* theta, const R* x, i64 rows, int threads) const = 0;
  /// What a layer puts out for the data, with the draws of a frozen step and the statistics of the rows.
  virtual void layer_outputs(R* out, const R* theta, std::size_t layer, Batch batch) const = 0;
  /// Frobenius norms of every layer's outputs, and of the gradient by them.
  virtual void norms(R* values, R* slopes, const R* theta, Batch batch) const = 0;
};

template <class R>
std::unique_ptr<Network<R>> make_network(NetworkSetup<R> setup);

}  // namespace optlab
