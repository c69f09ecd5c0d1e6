#include "network_layer.hpp"

#include "linear_batch_norm.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

/// Calls span(first element, n) for all of n numbers.
template <class R, class Span>
void each_span(i64 n, int threads, Span span) {
  constexpr i64 width = Follow<R>::kSpan;
  parallel((n + width - 1) / width, worthwhile(threads, n), [&](i64 begin, i64 end) {
    for (i64 at = begin * width; at < std::min(n, end * width); at += width) span(at, std::min(width, n - at));
  });
}

}  // namespace

template <class R>
LayerPass<R>::LayerPass(const Layer& layer, const LayerOptions<R>& options, const Evaluation<R>& e)
    : layer_(layer),
      options_(options),
      e_(e),
      weight_(at(e.theta, layer.weight)),
      bias_(at(e.theta, layer.bias)),
      gamma_(at(e.theta, layer.gamma)),
      beta_(at(e.theta, layer.beta)),
      shape_{e.rows, layer.in, layer.out} {
  static const Activation<R>* const identity = &find_activation<R>("identity");
  const bool bare = layer.last, normed = layer.norm != LayerNorm::none;
  const Follow<R> nothing{identity, R(0), 0, 0, {}, 0};
  Follow<R> active = nothing, dropped = nothing;
  if (!bare) active.activation = options.activation, active.parameter = options.parameter;
  inner_ = normed && !layer.norm_after ? nothing : active;
  outer_ = normed && !layer.norm_after ? active : dropped;
  if (bare || !e.draws || options.dropout == 0) return;
  Follow<R>& last = normed ? outer_ : inner_;
  last.p = options.dropout;
  last.run = e.run;
  last.at = *e.draws;
  last.base = e.all_rows * layer.dropped_before + e.first_row * layer.out;
}

template <class R>
void LayerPass<R>::forward(const LayerArrays<R>& a, const R* x) const {
  if (layer_.norm == LayerNorm::none) return linear_forward(a.y, x, weight_, bias_, shape_, inner_, e_.threads);
  if (layer_.norm == LayerNorm::batch && !e_.known_mean && !bias_ && inner_.is_identity() && !shaken()) {
    const Running<R> running{at(e_.running_mean, layer_.averages), at(e_.running_var, layer_.averages),
                             options_.momentum};
    return linear_batch_norm<R>(a.y, a.inner, a.mean, a.rstd, running.mean ? &running : nullptr, x, weight_,
                                {gamma_, beta_}, static_cast<R>(options_.eps), shape_, outer_, e_.threads);
  }
  linear_forward(a.inner, x, weight_, bias_, shape_, inner_, e_.threads);
  normalize(a);
  shake(a.y, false);
  if (!outer_.is_identity()) each_span<R>(numbers(), e_.threads, [&](i64 i, i64 n) { outer_.forward(a.y + i, i, n); });
}

template <class R>
void LayerPass<R>::shake(R* y, bool linear) const {
  if (!shaken()) return;
  const NoiseAddress from{
      {e_.draws->seed, kNormNoise, e_.draws->step}, e_.run, layer_.noise_before * (2 + 2 * e_.all_rows), e_.first_row};
  add_norm_noise(y, e_.rows, layer_.out, linear, options_.noise, from, e_.threads);
}

template <class R>
void LayerPass<R>::normalize(const LayerArrays<R>& a) const {
  const R eps = static_cast<R>(options_.eps);
  if (layer_.norm == LayerNorm::group)
    return group_norm_forward(a.y, a.mean, a.rstd, static_cast<const R*>(a.inner), gamma_, beta_, options_.eps,
                              groups(), e_.threads);
  if (e_.known_mean)
    return batch_norm_eval<R>(a.y, a.inner, e_.known_mean + layer_.averages, e_.known_var + layer_.averages,
                              {gamma_, beta_}, eps, matrix(), e_.threads);
  const Running<R> running{at(e_.running_mean, layer_.averages), at(e_.running_var, layer_.averages),
                           options_.momentum};
  batch_norm<R>(a.y, a.mean, a.rstd, running.mean ? &running : nullptr, a.inner, {gamma_, beta_}, eps, matrix(),
                e_.threads);
}

template <class R>
void LayerPass<R>::backward(Slopes<R>& s, R* grad, const LayerArrays<R>& a, const R* x, bool wants_dx) const {
  const R* y = a.y;
  if (layer_.norm != LayerNorm::none) {
    if (!outer_.is_identity())
      each_span<R>(numbers(), e_.threads, [&](i64 i, i64 n) { outer_.backward(s.v + i, s.v + i, a.y + i, i, n); });
    shake(s.v, true);
    normalize_backward(s.other_v, at(grad, layer_.gamma), at(grad, layer_.beta), s.v, a);
    s.turn();
    y = a.inner;
  }
  linear_backward(wants_dx ? s.other_v : nullptr, at(grad, layer_.weight), at(grad, layer_.bias),
                  static_cast<const R*>(s.v), x, weight_, y, shape_, inner_, e_.threads);
  s.turn();
}

template <class R>
void LayerPass<R>::normalize_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const LayerArrays<R>& a) const {
  if (layer_.norm == LayerNorm::batch)
    return batch_norm_backward<R>(dx, dgamma, dbeta, dy, a.inner, gamma_, {a.mean, a.rstd}, matrix(), e_.threads);
  using P = Plain<R>;
  group_norm_backward(dx, dgamma, dbeta, P{dy}, P{a.inner}, P{gamma_}, P{a.mean}, P{a.rstd}, groups(), e_.threads);
}

template <class R>
void LayerPass<R>::forward_tangent(const LayerArrays<R>& dot, const R* x_dot, const R* theta_dot,
                                   const LayerArrays<R>& a, const R* x) const {
  const LinearDirection<R> direction{x_dot, at(theta_dot, layer_.weight), at(theta_dot, layer_.bias)};
  if (layer_.norm == LayerNorm::none)
    return linear_forward_tangent(dot.y, direction, x, weight_, static_cast<const R*>(a.y), shape_, inner_, e_.threads);
  linear_forward_tangent(dot.inner, direction, x, weight_, static_cast<const R*>(a.inner), shape_, inner_, e_.threads);
  normalize_tangent(dot, theta_dot, a);
  shake(dot.y, true);
  if (!outer_.is_identity())
    each_span<R>(numbers(), e_.threads, [&](i64 i, i64 n) { outer_.forward_tangent(dot.y + i, a.y + i, i, n); });
}

template <class R>
void LayerPass<R>::normalize_tangent(const LayerArrays<R>& dot, const R* theta_dot, const LayerArrays<R>& a) const {
  const R *gamma_dot = at(theta_dot, layer_.gamma), *beta_dot = at(theta_dot, layer_.beta);
  if (layer_.norm == LayerNorm::batch)
    return batch_norm_tangent<R>(dot.y, dot.mean, dot.rstd, dot.inner, a.inner, gamma_, {a.mean, a.rstd},
                                 {gamma_dot, beta_dot}, matrix(), e_.threads);
  group_norm_forward_tangent(dot.y, dot.mean, dot.rstd, WithRate<R>{a.inner, dot.inner}, WithRate<R>{gamma_, gamma_dot},
                             beta_dot, static_cast<const R*>(a.mean), static_cast<const R*>(a.rstd), groups(),
                             e_.threads);
}

template <class R>
void LayerPass<R>::backward_tangent(Slopes<R>& s, R* grad_dot, const LayerArrays<R>& dot, const R* x_dot,
                                    const R* theta_dot, const LayerArrays<R>& a, const R* x, bool wants_dx) const {
  const R *y = a.y, *y_dot = dot.y;
  if (layer_.norm != LayerNorm::none) {
    if (!outer_.is_identity()) {
      each_span<R>(numbers(), e_.threads, [&](i64 i, i64 n) {
        outer_.backward_tangent(s.other_d + i, s.other_v + i, s.d + i, dot.y + i, s.v + i, a.y + i, i, n);
      });
      s.turn();
    }
    shake(s.v, true);
    shake(s.d, true);
    normalize_backward_tangent(s, grad_dot, dot, theta_dot, a);
    normalize_backward(s.other_v, s.few, s.few + layer_.out, s.v, a);
    s.turn();
    y = a.inner, y_dot = dot.inner;
  }
  const LinearDirection<R> direction{x_dot, at(theta_dot, layer_.weight), at(theta_dot, layer_.bias)};
  linear_backward_tangent(wants_dx ? s.other_d : nullptr, at(grad_dot, layer_.weight), at(grad_dot, layer_.bias),
                          static_cast<const R*>(s.d), y_dot, direction, static_cast<const R*>(s.v), x, weight_, y,
                          shape_, inner_, e_.threads);
  if (wants_dx) linear_backward<R>(s.other_v, nullptr, nullptr, s.v, x, weight_, y, shape_, inner_, e_.threads);
  s.turn();
}

template <class R>
void LayerPass<R>::normalize_backward_tangent(Slopes<R>& s, R* grad_dot, const LayerArrays<R>& dot, const R* theta_dot,
                                              const LayerArrays<R>& a) const {
  R *dgamma_dot = at(grad_dot, layer_.gamma), *dbeta_dot = at(grad_dot, layer_.beta);
  const R* gamma_dot = at(theta_dot, layer_.gamma);
  if (layer_.norm == LayerNorm::batch)
    return batch_norm_backward_tangent<R>(s.other_d, dgamma_dot, dbeta_dot, s.d, dot.inner, s.v, a.inner, gamma_,
                                          gamma_dot, {a.mean, a.rstd}, {dot.mean, dot.rstd}, matrix(), e_.threads);
  using D = WithRate<R>;
  group_norm_backward(s.other_d, dgamma_dot, dbeta_dot, D{s.v, s.d}, D{a.inner, dot.inner}, D{gamma_, gamma_dot},
                      D{a.mean, dot.mean}, D{a.rstd, dot.rstd}, groups(), e_.threads);
}

template class LayerPass<float>;
template class LayerPass<double>;

}  // namespace optlab
