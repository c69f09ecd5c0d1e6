#include "study.hpp"

#include <algorithm>

#include "environment.hpp"
#include "threads.hpp"

namespace optlab {
template <class R>
bool noisy(const StudySetup<R>& s) {
  return s.noise != R(0) || !s.gradient_noise.empty();
}

template <class R>
Study<R>::Study(StudySetup<R> setup, StudyArrays<R> arrays)
    : setup_(std::move(setup)),
      optimizer_(merged(setup_.optimizer)),
      arrays_(std::move(arrays)),
      layout_(setup_.landscape ? setup_.landscape->layout_for(setup_.runs, noisy(setup_))
                               : cheaper_layout<R>(setup_.runs, setup_.dim, noisy(setup_))),
      width_(layout_ == Layout::runs ? kLanes<R> : 1),
      groups_((setup_.runs + width_ - 1) / width_),
      packs_(packs_of(setup_.dim, layout_, kLanes<R>)),
      now_(setup_.first_step),
      x_in_place_(may_stand_in_place()),
      x_(x_in_place_ ? 0 : groups_ * packs_),
      active_(static_cast<std::size_t>(setup_.runs), 1),
      stop_value_(active_.size()),
      stop_norm_(active_.size()) {
  const auto padded = static_cast<std::size_t>(packs_ * kLanes<R>);
  if (!setup_.gradient_noise.empty()) setup_.gradient_noise.resize(padded);
  const R inf = Number<R>::from_bits(Constants<R>::infinity);
  for (StopRule<R>& rule : setup_.stops) {  // behind the end: weight 0, or inside every box
    const bool box = rule.kind == StopKind::box;
    rule.low.resize(padded, box ? -inf : R(0));
    rule.high.resize(padded, box ? inf : R(0));
  }
  if (setup_.batch_size > 0) batches_.assign(active_.size(), Batches(setup_.sampling, setup_.batch_size));
  if (layout_ == Layout::runs)
    for (std::size_t k = 0; k < arrays_.states.size(); ++k) states_.emplace_back(groups_ * packs_);
  for (i64 group = 0; group < groups_; ++group)
    for (int lane = 0; lane < lanes_of(group); ++lane) {
      const i64 offset = run_of(group, lane) * setup_.dim;
      if (!x_in_place_) load(point(group), lane, arrays_.last + offset);
      for (std::size_t k = 0; k < states_.size(); ++k)
        load(state(static_cast<i64>(k), group), lane, arrays_.states[k] + offset);
    }
}

/// What works on whole packs of a point needs room behind it.
template <class R>
bool Study<R>::may_stand_in_place() const {
  const auto packed = [](const StopRule<R>& rule) {
    return rule.kind == StopKind::distance || rule.kind == StopKind::box;
  };
  return layout_ == Layout::elements && setup_.landscape && setup_.landscape->in_place() && setup_.noise == R(0) &&
         std::none_of(setup_.stops.begin(), setup_.stops.end(), packed);
}

/// A run's point and state to the caller's arrays, where they do not stand there.
template <class R>
void Study<R>::copy_out(i64 group, int lane) {
  const i64 offset = run_of(group, lane) * setup_.dim;
  if (!x_in_place_) store(point(group), lane, arrays_.last + offset);
  for (std::size_t k = 0; k < states_.size(); ++k)
    store(state(static_cast<i64>(k), group), lane, arrays_.states[k] + offset);
}

template <class R>
int Study<R>::lanes_of(i64 group) const {
  return static_cast<int>(std::min<i64>(width_, setup_.runs - group * width_));
}

template <class R>
void Study<R>::load(P* group, int lane, const R* row) const {
  load_row(group, layout_, setup_.dim, lane, row);
}

template <class R>
void Study<R>::store(const P* group, int lane, R* row) const {
  store_row(group, layout_, setup_.dim, lane, row);
}

template <class R>
bool Study<R>::group_active(i64 group) const {
  const auto* first = active_.data() + group * width_;
  return std::any_of(first, first + lanes_of(group), [](unsigned char a) { return a != 0; });
}

template <class R>
bool Study<R>::any_active() const {
  return std::any_of(active_.begin(), active_.end(), [](unsigned char a) { return a != 0; });
}

// ---------------------------------------------------------------- drivers

template <class R>
Study<R>::Workspace::Workspace(const Study& study)
    : g(study.packs_),
      constants(static_cast<i64>(study.optimizer_.segments().size()) * kMaxConstants),
      index(static_cast<std::size_t>(study.width_ * study.setup_.batch_size)) {}

template <class R>
template <class Work>
void Study<R>::with_workspace(Work work) {
  std::unique_ptr<Workspace> w;
  {
    const std::lock_guard<std::mutex> lock(idle_mutex_);
    if (!idle_.empty()) w = std::move(idle_.back()), idle_.pop_back();
  }
  if (!w) w = std::make_unique<Workspace>(*this);
  work(*w);
  const std::lock_guard<std::mutex> lock(idle_mutex_);
  idle_.push_back(std::move(w));
}

template <class R>
void Study<R>::advance(i64 steps, const double* factors, int threads) {
  threads_ = threads;
  constexpr i64 shared_steps = 1024;
  for (i64 done = 0; done < steps; done += shared_steps) {
    const i64 from = now_, count = std::min(shared_steps, steps - done);
    const double* factor = factors + done;
    share_constants(factor, count);
    parallel(groups_, threads, [&](i64 begin, i64 end) {
      with_workspace([&](Workspace& w) {
        for (i64 group = begin; group < end; ++group) advance_group(group, from, count, factor, w);
      });
    });
    now_ += count;
  }
}

template <class R>
void Study<R>::advance_group(i64 group, i64 from, i64 count, const double* factor, Workspace& w) {
  w.cursor = 0;
  for (i64 t = from; t < from + count; ++t) {
    if (!group_active(group)) return record_rest(group, t, from + count - 1, w);
    begin_group(group, t, w);
    end_group(group, t, factor[t - from], w);
  }
}

template <class R>
void Study<R>::settle(int threads) {
  threads_ = threads;
  const auto& steps = setup_.record_steps;
  const bool only_looks =
      setup_.stops.empty() && !setup_.perturbation.must_decrease && (steps.empty() || steps.back() < now_);
  if (only_looks && !setup_.looks) return;
  parallel(groups_, threads, [&](i64 begin, i64 end) {
    with_workspace([&](Workspace& w) {
      for (i64 group = begin; group < end; ++group) {
        w.cursor = 0;
        if (only_looks) {
          w.g_is_full = w.has_full = w.has_value = w.has_norm = false;
          check_finite(group, now_, w);
        } else if (group_active(group)) {
          begin_group(group, now_, w);
        } else {
          record_rest(group, now_, setup_.last_step, w);
        }
      }
    });
  });
}

template <class R>
bool Study<R>::begin(const R* value, const R* grad) {
  const FloatEnvironment environment;
  outside_ = {value, grad};
  Workspace w(*this);
  bool perturbed = false;
  for (i64 group = 0; group < groups_; ++group) {
    w.cursor = 0;
    if (group_active(group))
      begin_group(group, now_, w);
    else
      record_rest(group, now_, now_, w);
    perturbed |= w.perturbed;
  }
  return perturbed;
}

template <class R>
void Study<R>::end(const R* grad, double factor) {
  const FloatEnvironment environment;
  outside_.grad = grad;
  share_constants(&factor, 1);
  Workspace w(*this);
  for (i64 group = 0; group < groups_; ++group) {
    full_gradient(group, w);
    std::swap(w.g, w.full);
    end_group(group, now_, factor, w);
  }
  ++now_;
}

template <class R>
void Study<R>::flush() {
  for (i64 run = 0; run < setup_.runs; ++run) {
    if (active_[static_cast<std::size_t>(run)]) copy_out(run / width_, static_cast<int>(run % width_));
  }
}

// ---------------------------------------------------------------- one step of one group

/// The row of the records that step t fills, or -1; a group asks in the order of its steps.
template <class R>
i64 Study<R>::record_row(i64 t, Workspace& w) const {
  const auto& steps = setup_.record_steps;
  if (w.cursor < steps.size() && steps[w.cursor] < t)
    w.cursor = static_cast<std::size_t>(std::lower_bound(steps.begin(), steps.end(), t) - steps.begin());
  return w.cursor < steps.size() && steps[w.cursor] == t ? static_cast<i64>(w.cursor) : -1;
}

template <class R>
void Study<R>::record_rest(i64 group, i64 from, i64 to, Workspace& w) {
  const auto& steps = setup_.record_steps;
  record_row(from, w);
  for (; w.cursor < steps.size() && steps[w.cursor] <= to; ++w.cursor) record(group, static_cast<i64>(w.cursor), w);
}

template <class R>
void Study<R>::begin_group(i64 group, i64 t, Workspace& w) {
  w.has_full = w.has_value = w.has_norm = w.perturbed = false;
  gradient(group, t, w);
  if (!setup_.stops.empty()) check_stops(group, t, w);
  check_finite(group, t, w);
  const i64 row = record_row(t, w);
  if (row >= 0) record(group, row, w);
  if (setup_.perturbation.must_decrease) check_decrease(group, t, w);
  if (!setup_.perturbation.on || t == setup_.last_step) return;
  perturb(group, t, w);
  if (w.perturbed && setup_.landscape) gradient(group, t, w);
}

template <class R>
void Study<R>::end_group(i64 group, i64 t, double factor, Workspace& w) {
  if (!group_active(group)) return;
  const bool looks = optimizer_.nonfinite() != OnNonfinite::propagate;
  const unsigned bad = looks ? nonfinite_lanes(group, w.g.get(), setup_.held) : 0;
  if (bad && optimizer_.nonfinite() == OnNonfinite::raise) refuse(group, bad, t, w.g.get());
  if (bad && skip(group, bad, w)) return;
  take_step(group, t, factor, w);
  if (bad) restore(group, bad, w);
}

template <class R>
void Study<R>::take_step(i64 group, i64 t, double factor, Workspace& w) {
  if (arrays_.averages)
    std::copy(w.averages.begin(), w.averages.end(), arrays_.averages + group * setup_.landscape->averages());
  P* x = point(group);
  if (!setup_.gradient_noise.empty()) {
    const R* sigma = setup_.gradient_noise.data();
    P* g = w.g.get();
    draw_normals(group, kGradientNoise, t, [&](i64 p, P n) {
      const P s = layout_ == Layout::runs ? splat(sigma[p]) : optlab::load(sigma + p * kLanes<R>);
      g[p] = g[p] + s * n;
    });
  }
  R *numbers = reinterpret_cast<R*>(x), *slopes = reinterpret_cast<R*>(w.g.get());
  w.held.resize(setup_.held.size() * static_cast<std::size_t>(width_));
  each_held([&](std::size_t k, i64 i) { w.held[k] = numbers[i], slopes[i] = R(0); });
  constants(group, t, factor, w);
  update(group, t, w);
  if (setup_.noise != R(0)) {
    const P s = splat(setup_.noise);
    draw_normals(group, kNoise, t, [x, s](i64 p, P n) { x[p] = x[p] + s * n; });
  }
  project(group, w);
  each_held([&](std::size_t k, i64 i) { numbers[i] = w.held[k]; });
}

/// Calls visit(k, i) for the k-th number that is held, i its place in a group's point or gradient.
template <class R>
template <class Visit>
void Study<R>::each_held(Visit visit) const {
  std::size_t k = 0;
  for (const i64 coordinate : setup_.held)
    for (i64 lane = 0; lane < width_; ++lane) visit(k++, coordinate * width_ + lane);
}

template <class R>
template <class Visit>
void Study<R>::draw_normals(i64 group, u32 stream, i64 t, Visit visit) const {
  const DrawAddress at{setup_.seed, stream, static_cast<u64>(t)};
  const u32 run = static_cast<u32>(setup_.first_run + group * width_);
  if (layout_ == Layout::runs)
    draw_runs<R, Normal>(setup_.dim, run, at, visit);
  else
    draw_elements<R, Normal>(setup_.dim, run, at, visit);
}

template class Study<float>;
template class Study<double>;

}  // namespace optlab
