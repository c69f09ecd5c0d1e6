// Perturbed gradient descent inside a study: when to jump, and when to give up.
#include "study.hpp"

#include <algorithm>

namespace optlab {

template <class R>
void Study<R>::check_decrease(i64 group, i64 t, Workspace& w) {
  const Perturbation<R>& p = setup_.perturbation;
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    const i64 run = run_of(group, lane);
    if (!active_[static_cast<std::size_t>(run)] || t - arrays_.perturbed_step[run] != p.wait) continue;
    measure_value(group, w);
    if (!(w.value[lane] - arrays_.perturbed_value[run] <= -p.decrease)) stop_run(group, lane, t, kNoDecrease, w);
  }
}

template <class R>
void Study<R>::perturb(i64 group, i64 t, Workspace& w) {
  const Perturbation<R>& p = setup_.perturbation;
  measure_norm(group, w);
  std::vector<R> jump;
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    const i64 run = run_of(group, lane), offset = run * setup_.dim;
    if (!active_[static_cast<std::size_t>(run)]) continue;
    if (!(w.norm[lane] <= p.grad_norm) || t - arrays_.perturbed_step[run] <= p.wait) continue;
    measure_value(group, w);
    R* start = arrays_.perturbed_x + offset;
    store(point(group), lane, start);
    arrays_.perturbed_step[run] = t;
    arrays_.perturbed_value[run] = w.value[lane];
    arrays_.perturbed_norm[run] = w.norm[lane];
    jump.resize(static_cast<std::size_t>(setup_.dim));
    draw_ball(jump.data(), setup_.dim, p.radius, static_cast<u32>(setup_.first_run + run),
              {setup_.seed, kPerturbation, static_cast<u64>(t)});
    for (i64 i = 0; i < setup_.dim; ++i) jump[static_cast<std::size_t>(i)] += start[i];
    load(point(group), lane, jump.data());
    w.perturbed = true;
  }
}

template class Study<float>;
template class Study<double>;

}  // namespace optlab
