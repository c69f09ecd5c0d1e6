// What a study measures at a point: gradient, value, norm, the stopping rules, the records.
#include "study.hpp"

#include <algorithm>

#include "sums.hpp"

namespace optlab {

template <class R>
Batch Study<R>::whole() const {
  Batch batch;
  batch.threads = threads_;
  return batch;
}

template <class R>
void Study<R>::full_gradient(i64 group, Workspace& w) const {
  w.full.reserve(packs_);
  if (setup_.landscape) return setup_.landscape->grad(w.full.get(), point(group), layout_, whole(), w.scratch);
  for (int lane = 0; lane < lanes_of(group); ++lane)
    load(w.full.get(), lane, outside_.grad + run_of(group, lane) * setup_.dim);
}

template <class R>
void Study<R>::draw_batch(i64 group, i64 t, Workspace& w) {
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    const i64 run = run_of(group, lane);
    batches_[static_cast<std::size_t>(run)].at(w.index.data() + lane * setup_.batch_size, t,
                                               static_cast<u32>(setup_.first_run + run), setup_.landscape->samples(),
                                               setup_.seed);
  }
}

/// The gradient the rule will see, in w.g: of a batch, of what the step draws, and with the averages going on, where
/// there are any of these.
template <class R>
void Study<R>::gradient(i64 group, i64 t, Workspace& w) {
  const Landscape<R>* f = setup_.landscape;
  const bool drawn = f && f->random();
  w.g_is_full = setup_.batch_size == 0 && !drawn;
  if (w.g_is_full && !arrays_.averages) {
    full_gradient(group, w);
    std::swap(w.g, w.full);
    return;
  }
  const DrawAddress masks{setup_.seed, kDropout, static_cast<u64>(t)};
  Batch batch = whole();
  batch.run = static_cast<u32>(setup_.first_run + run_of(group, 0));
  if (drawn) batch.draws = &masks;
  if (arrays_.averages && t < setup_.last_step) {
    const R* row = arrays_.averages + group * f->averages();
    w.averages.assign(row, row + f->averages());
    batch.averages = w.averages.data();
  }
  if (setup_.batch_size) {
    draw_batch(group, t, w);
    batch.index = w.index.data();
    batch.size = batch.lane_step = setup_.batch_size;
  }
  f->grad(w.g.get(), point(group), layout_, batch, w.scratch);
}

template <class R>
void Study<R>::measure_value(i64 group, Workspace& w) const {
  if (w.has_value) return;
  w.has_value = true;
  if (setup_.landscape) return setup_.landscape->value(w.value, point(group), layout_, whole(), w.scratch);
  for (int lane = 0; lane < lanes_of(group); ++lane) w.value[lane] = outside_.value[run_of(group, lane)];
}

/// A norm of every run of a group, from square(p, scaled), the squares of the numbers scaled(x) of a pack.
template <class R>
template <class Square>
void Study<R>::norm_of_group(R* out, i64 group, Square square) const {
  if (layout_ == Layout::runs) {
    const auto sum_with = [&](auto scaled) {
      P sum;
      sum_terms<R, true>(reinterpret_cast<R*>(&sum), setup_.dim, [&](i64 p) { return square(p, scaled); });
      return sum;
    };
    const auto counts = lane_numbers<R>() < static_cast<Bits<R>>(lanes_of(group));
    return optlab::store(out, scaled_norm<P>(sum_with, (LaneMask<R>)counts).value());
  }
  const auto sum_with = [&](auto scaled) {
    R sum;
    sum_terms<R, false>(&sum, setup_.dim, [&](i64 p) { return square(p, scaled); });
    return sum;
  };
  *out = scaled_norm<R>(sum_with).value();
}

template <class R>
void Study<R>::measure_norm(i64 group, Workspace& w) const {
  if (w.has_norm) return;
  w.has_norm = true;
  if (!w.g_is_full && !w.has_full) full_gradient(group, w);
  w.has_full = true;
  const P* g = w.g_is_full ? w.g.get() : w.full.get();
  norm_of_group(w.norm, group, [g](i64 p, auto scaled) {
    const P x = scaled(g[p]);
    return x * x;
  });
}

/// A rule's quantity per lane, to be compared with its threshold.
template <class R>
void Study<R>::measure_stop(const StopRule<R>& rule, i64 group, Workspace& w, R* out) const {
  const int lanes = lanes_of(group);
  if (rule.kind == StopKind::grad_norm) {
    measure_norm(group, w);
    std::copy(w.norm, w.norm + lanes, out);
    return;
  }
  if (rule.kind == StopKind::value) {
    measure_value(group, w);
    std::copy(w.value, w.value + lanes, out);
    return;
  }
  const P* x = point(group);
  const bool runs = layout_ == Layout::runs;
  const auto bound = [&](const std::vector<R>& of, i64 p) {
    return runs ? splat(of[static_cast<std::size_t>(p)]) : optlab::load(of.data() + p * kLanes<R>);
  };
  if (rule.kind == StopKind::distance) {
    return norm_of_group(out, group, [&](i64 p, auto scaled) {
      return distance_term<P>(scaled(P(x[p] - bound(rule.low, p))), bound(rule.high, p));
    });
  }
  P worst = splat(rule.kind == StopKind::box ? -Number<R>::from_bits(Constants<R>::infinity) : R(0));
  for (i64 p = 0; p < packs_; ++p) {
    if (rule.kind == StopKind::nonfinite) {
      const R* from = reinterpret_cast<const R*>(x + p);
      const i64 left = runs ? kLanes<R> : setup_.dim - p * kLanes<R>;
      worst = worst + (left >= kLanes<R> ? optlab::load(from) : load_part(from, left)) * R(0);
      continue;
    }
    worst = further_out<P>(worst, x[p], bound(rule.low, p), bound(rule.high, p));
  }
  alignas(kRegister) R lane_worst[kLanes<R>];
  optlab::store(lane_worst, worst);
  if (runs)
    std::copy(lane_worst, lane_worst + lanes, out);
  else if (rule.kind == StopKind::box)
    *out = *std::max_element(lane_worst, lane_worst + kLanes<R>);
  else {
    *out = R(0);
    for (R v : lane_worst) *out += v;
  }
}

template <class R>
void Study<R>::check_stops(i64 group, i64 t, Workspace& w) {
  alignas(kRegister) R measured[kLanes<R>];
  for (std::size_t k = 0; k < setup_.stops.size(); ++k) {
    const StopRule<R>& rule = setup_.stops[k];
    measure_stop(rule, group, w, measured);
    for (int lane = 0; lane < lanes_of(group); ++lane) {
      if (!active_[static_cast<std::size_t>(run_of(group, lane))]) continue;
      if (is_met(rule.kind, rule.below, measured[lane], rule.threshold))
        stop_run(group, lane, t, static_cast<i64>(k) + 1, w);
    }
  }
}

template <class R>
void Study<R>::stop_run(i64 group, int lane, i64 t, i64 reason, Workspace& w) {
  const i64 run = run_of(group, lane), offset = run * setup_.dim;
  const auto r = static_cast<std::size_t>(run);
  active_[r] = 0;
  arrays_.stop_step[run] = t;
  arrays_.stop_reason[run] = reason;
  copy_out(group, lane);
  if (reason == kNoDecrease) {
    std::copy_n(arrays_.perturbed_x + offset, setup_.dim, arrays_.last + offset);
    stop_value_[r] = arrays_.perturbed_value[run];
    stop_norm_[r] = arrays_.perturbed_norm[run];
    return;
  }
  if (setup_.record_steps.empty()) return;
  measure_value(group, w);
  measure_norm(group, w);
  stop_value_[r] = w.value[lane];
  stop_norm_[r] = w.norm[lane];
}

template <class R>
void Study<R>::record(i64 group, i64 row, Workspace& w) {
  if (group_active(group)) {
    measure_value(group, w);
    measure_norm(group, w);
  }
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    const i64 run = run_of(group, lane), at = row * setup_.runs + run;
    const auto r = static_cast<std::size_t>(run);
    arrays_.record_value[at] = active_[r] ? w.value[lane] : stop_value_[r];
    arrays_.record_norm[at] = active_[r] ? w.norm[lane] : stop_norm_[r];
    if (!arrays_.record_x) continue;
    R* to = arrays_.record_x + at * setup_.dim;
    if (active_[r])
      store(point(group), lane, to);
    else
      std::copy_n(arrays_.last + run * setup_.dim, setup_.dim, to);
  }
}

template class Study<float>;
template class Study<double>;

}  // namespace optlab
