// One layer of a network on a batch: linear, normalization before or after the activation, dropout. Forward, backward,
// and the derivatives of both in a direction.
#pragma once
#include <utility>

#include "batch_norm.hpp"
#include "group_norm.hpp"
#include "linear.hpp"
#include "norm_noise.hpp"

namespace optlab {

/// group: of a sample's units; a single group is layer normalization.
enum class LayerNorm { none, batch, group };

/// A layer, and where its parameters stand in the flat vector; -1 for those that it does not have.
struct Layer {
  i64 in, out, weight, bias, gamma, beta;
  LayerNorm norm;
  i64 groups;          ///< of that normalization
  bool norm_after;     ///< the activation
  i64 averages;        ///< where its columns begin among those that batch normalization averages
  i64 dropped_before;  ///< how many outputs of a sample earlier layers drop out
  i64 noise_before;    ///< the sum of the earlier layers' rows of noise
  bool last;           ///< neither activation nor dropout
};

/// What the layers of a network share.
template <class R>
struct LayerOptions {
  const Activation<R>* activation;
  R parameter;
  double dropout, eps;
  R momentum;
  NormNoise noise;
};

/// What is the same for all layers in one evaluation.
template <class R>
struct Evaluation {
  const R* theta;
  i64 rows, first_row, all_rows;  ///< these rows are some of those that draw at one address
  const DrawAddress* draws;       ///< none: neither dropout nor noise
  u32 run;
  int threads;
  R *running_mean, *running_var;    ///< averages to be updated, or none
  const R *known_mean, *known_var;  ///< statistics to be used instead of the batch's own, or none
};

/// What a layer leaves for the way back: its outputs, what its normalization was given, and the statistics of that.
template <class R>
struct LayerArrays {
  R *y, *inner, *mean, *rstd;
};

/// The gradient by a layer's outputs, which backward passes turn into that by its inputs, and, where numbers are dual,
/// its derivative; each with room for the next.
template <class R>
struct Slopes {
  R *v, *other_v, *d, *other_d;
  R* few;  ///< room for two numbers of each output
  void turn() {
    std::swap(v, other_v);
    std::swap(d, other_d);
  }
};

template <class R>
class LayerPass {
 public:
  LayerPass(const Layer& layer, const LayerOptions<R>& options, const Evaluation<R>& at);

  void forward(const LayerArrays<R>& a, const R* x) const;
  void backward(Slopes<R>& slopes, R* grad, const LayerArrays<R>& a, const R* x, bool wants_dx) const;
  /// x_dot may be null.
  void forward_tangent(const LayerArrays<R>& dot, const R* x_dot, const R* theta_dot, const LayerArrays<R>& a,
                       const R* x) const;
  void backward_tangent(Slopes<R>& slopes, R* grad_dot, const LayerArrays<R>& dot, const R* x_dot, const R* theta_dot,
                        const LayerArrays<R>& a, const R* x, bool wants_dx) const;

 private:
  static const R* at(const R* theta, i64 offset) { return theta && offset >= 0 ? theta + offset : nullptr; }
  static R* at(R* theta, i64 offset) { return theta && offset >= 0 ? theta + offset : nullptr; }
  MatrixShape matrix() const { return {e_.rows, layer_.out}; }
  NormShape groups() const { return {e_.rows, layer_.groups, layer_.out / layer_.groups, 1}; }
  i64 numbers() const { return e_.rows * layer_.out; }
  /// Adds the noise behind the normalization to y, or multiplies what is linear in y by its scales.
  void shake(R* y, bool linear) const;
  bool shaken() const { return e_.draws && options_.noise.on(); }
  void normalize(const LayerArrays<R>& a) const;
  void normalize_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const LayerArrays<R>& a) const;
  void normalize_tangent(const LayerArrays<R>& dot, const R* theta_dot, const LayerArrays<R>& a) const;
  void normalize_backward_tangent(Slopes<R>& slopes, R* grad_dot, const LayerArrays<R>& dot, const R* theta_dot,
                                  const LayerArrays<R>& a) const;

  const Layer& layer_;
  const LayerOptions<R>& options_;
  const Evaluation<R>& e_;
  const R *weight_, *bias_, *gamma_, *beta_;
  LinearShape shape_;
  Follow<R> inner_, outer_;  // what follows the product, and what follows the normalization
};

}  // namespace optlab
