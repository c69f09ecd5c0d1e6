// How a study applies its optimizer to a group.
#include <algorithm>

#include "study.hpp"

namespace optlab {

/// The constants of the next steps, which all groups use.
template <class R>
void Study<R>::share_constants(const double* factors, i64 steps) {
  if (optimizer_.rows() != 1) return;
  const std::size_t segments = optimizer_.segments().size();
  shared_.resize(static_cast<std::size_t>(steps) * segments * kMaxConstants);
  shared_from_ = now_;
  R* out = shared_.data();
  for (i64 k = 0; k < steps; ++k)
    for (std::size_t segment = 0; segment < segments; ++segment, out += kMaxConstants) {
      P packs[kMaxConstants];
      optimizer_.constants(packs, segment, 0, 1, setup_.rule_step + (now_ + k - setup_.first_step), {factors[k]});
      for (int c = 0; c < optimizer_.rule().constants; ++c) out[c] = packs[c][0];
    }
}

template <class R>
void Study<R>::constants(i64 group, i64 t, double factor, Workspace& w) const {
  const std::size_t segments = optimizer_.segments().size();
  for (std::size_t segment = 0; segment < segments; ++segment) {
    P* out = w.constants.get() + segment * kMaxConstants;
    if (arrays_.skipped) {
      own_constants(out, group, segment, setup_.rule_step + (t - setup_.first_step), factor);
    } else if (optimizer_.rows() == 1) {
      const std::size_t at = (static_cast<std::size_t>(t - shared_from_) * segments + segment) * kMaxConstants;
      for (int k = 0; k < optimizer_.rule().constants; ++k) out[k] = splat(shared_[at + static_cast<std::size_t>(k)]);
    } else {
      optimizer_.constants(out, segment, run_of(group, 0), lanes_of(group), setup_.rule_step + (t - setup_.first_step),
                           {factor});
    }
  }
}

/// Of runs that have skipped different numbers of steps.
template <class R>
void Study<R>::own_constants(P* out, i64 group, std::size_t segment, i64 step, double factor) const {
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    P own[kMaxConstants];
    const i64 run = run_of(group, lane);
    optimizer_.constants(own, segment, run, 1, step - arrays_.skipped[run], {factor});
    for (int k = 0; k < optimizer_.rule().constants; ++k)
      if (layout_ == Layout::runs)
        out[k][lane] = own[k][0];
      else
        out[k] = own[k];
  }
}

/// The lanes whose runs have not stopped: those whose norms matter. Steps that take no norms do without them, since
/// looking at every lane would cost the cheapest studies a quarter of their time.
template <class R>
LaneMask<R> Study<R>::going_on(i64 group) const {
  LaneMask<R> lanes{};
  if (!optimizer_.needs_norms()) return lanes;
  for (int lane = 0; lane < lanes_of(group); ++lane)
    lanes[lane] = -static_cast<int>(active_[static_cast<std::size_t>(run_of(group, lane))]);
  return lanes;
}

template <class R>
void Study<R>::update(i64 group, i64 t, Workspace& w) const {
  const StepAddress at{static_cast<u64>(setup_.rule_step + (t - setup_.first_step)),
                       static_cast<u32>(setup_.first_run + group * width_)};
  P* states[kMaxStates];
  for (std::size_t k = 0; k < arrays_.states.size(); ++k) states[k] = state(static_cast<i64>(k), group);
  P *x = point(group), *c = w.constants.get();
  if (layout_ == Layout::runs) return optimizer_.update(x, w.g.get(), states, c, at, going_on(group));
  w.spans.clear();
  for (const Segment& segment : optimizer_.segments()) {
    Span<R> span{};
    span.x = reinterpret_cast<R*>(x) + segment.begin;
    span.g = reinterpret_cast<const R*>(w.g.get()) + segment.begin;
    span.first = segment.begin;
    span.n = segment.end - segment.begin;
    for (std::size_t k = 0; k < arrays_.states.size(); ++k)
      span.states[k] = reinterpret_cast<R*>(states[k]) + segment.begin;
    std::copy_n(c, optimizer_.rule().constants, span.constants);
    w.spans.push_back(span);
    c += kMaxConstants;
  }
  optimizer_.update(w.spans, at, {}, threads_);
}

template <class R>
void Study<R>::project(i64 group, const Workspace& w) const {
  if (layout_ == Layout::runs)
    optimizer_.project(point(group), setup_.dim, going_on(group));
  else
    optimizer_.project(w.spans, threads_);
}

template class Study<float>;
template class Study<double>;

}  // namespace optlab
