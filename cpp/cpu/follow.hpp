// What follows an affine map, y = mask f(z): an activation f and perhaps dropout, on spans of a row. Everything is
// computed from y, so z is never kept and the mask is drawn again.
#pragma once
#include "activation.hpp"
#include "dropout.hpp"
#include "optlab/activations/activation.hpp"

namespace optlab {

/// f(z) of a span of y = f(z) / kept; y may be out.
template <class R>
void unmask(R* out, const R* y, i64 n, R kept, const Activation<R>& f, R parameter) {
  const R low = f.low(parameter), high = f.high(parameter);
  for (i64 i = 0; i < n; ++i) out[i] = unmasked(y[i], kept, low, high);
}

template <class R>
struct Follow {
  static constexpr i64 kSpan = 64;  ///< the longest span

  const Activation<R>* activation;
  R parameter;
  double p;  ///< of dropout; 0 for none
  u32 run;
  DrawAddress at;
  i64 base = 0;  ///< the number of the array's first element among all that are drawn at this address

  bool is_identity() const { return p == 0 && activation == &find_activation<R>("identity"); }

  /// y, which holds z, becomes mask f(z); `first` is its first element's number in the flat array.
  void forward(R* y, i64 first, i64 n) const {
    activation->forward(y, y, n, parameter);
    mask(y, y, first, n);
  }

  /// y_dot, which holds z_dot, becomes mask f'(z) z_dot.
  void forward_tangent(R* y_dot, const R* y, i64 first, i64 n) const {
    R room[kSpan];
    activation->forward_tangent(y_dot, y_dot, unmasked(room, y, n), n, parameter);
    mask(y_dot, y_dot, first, n);
  }

  /// dz = mask f'(z) dy.
  void backward(R* dz, const R* dy, const R* y, i64 first, i64 n) const {
    R room[kSpan];
    mask(dz, dy, first, n);
    activation->backward(dz, p > 0 ? dz : dy, unmasked(room, y, n), n, parameter);
  }

  /// dz_dot = mask (f'(z) dy_dot + f''(z) z_dot dy), and dz as above.
  void backward_tangent(R* dz_dot, R* dz, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 first,
                        i64 n) const {
    R room[kSpan], dot_room[kSpan], masked[kSpan];
    const R *value = unmasked(room, y, n), *value_dot = p > 0 ? scaled(dot_room, y_dot, n) : y_dot;
    mask(masked, dy, first, n);
    mask(dz_dot, dy_dot, first, n);
    const R* upper = p > 0 ? masked : dy;
    activation->backward_tangent(dz_dot, p > 0 ? dz_dot : dy_dot, value_dot, upper, value, n, parameter);
    activation->backward(dz, upper, value, n, parameter);
  }

 private:
  void mask(R* out, const R* in, i64 first, i64 n) const {
    if (p > 0) dropout_span(out, in, base + first, n, static_cast<R>(1 / (1 - p)), dropout_threshold(p), run, at);
  }
  const R* scaled(R* room, const R* from, i64 n) const {
    const R kept = static_cast<R>(1 - p);
    for (i64 i = 0; i < n; ++i) room[i] = from[i] * kept;
    return room;
  }
  const R* unmasked(R* room, const R* y, i64 n) const {
    if (p == 0) return y;
    unmask(room, y, n, static_cast<R>(1 - p), *activation, parameter);
    return room;
  }
};

}  // namespace optlab
