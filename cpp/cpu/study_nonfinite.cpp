// What a study does about points and gradients that are not finite.
#include <algorithm>

#include "finite.hpp"
#include "study.hpp"

namespace optlab {

/// The runs of a group, as bits, in which a number is NaN or infinite. The coordinates in `but`, in rising order, are
/// left out, and so are runs that have stopped.
template <class R>
unsigned Study<R>::nonfinite_lanes(i64 group, const P* numbers, const std::vector<i64>& but) const {
  P seen{};
  bool finite = true;
  i64 begin = 0;
  const auto look = [&](i64 end) {
    const R* own = reinterpret_cast<const R*>(numbers);
    if (layout_ == Layout::runs)
      seen = seen + seen_in(own + begin * kLanes<R>, (end - begin) * kLanes<R>);
    else
      finite = finite && all_finite(own + begin, end - begin);
    begin = end + 1;
  };
  for (const i64 coordinate : but) look(coordinate);
  look(setup_.dim);
  unsigned lanes = finite ? 0 : 1;
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    if (seen[lane] != seen[lane]) lanes |= 1u << lane;
    if (!active_[static_cast<std::size_t>(run_of(group, lane))]) lanes &= ~(1u << lane);
  }
  return lanes;
}

/// Stops the runs that are no longer finite, where they are looked at.
template <class R>
void Study<R>::check_finite(i64 group, i64 t, Workspace& w) {
  if (!setup_.looks || !looked_at(t, setup_.last_step)) return;
  const unsigned lanes = nonfinite_lanes(group, point(group), {});
  for (int lane = 0; lane < lanes_of(group); ++lane)
    if (lanes >> lane & 1u) stop_run(group, lane, t, kNonfinite, w);
}

/// Names the first of the runs and the first of its coordinates.
template <class R>
void Study<R>::refuse(i64 group, unsigned lanes, i64 t, const P* g) const {
  int lane = 0;
  while (!(lanes >> lane & 1u)) ++lane;
  std::vector<R> row(static_cast<std::size_t>(setup_.dim));
  store(g, lane, row.data());
  for (const i64 held : setup_.held) row[static_cast<std::size_t>(held)] = R(0);
  const i64 at = first_nonfinite(row.data(), setup_.dim);
  throw NonfiniteGradient{setup_.first_run + run_of(group, lane), at, t,
                          static_cast<double>(row[static_cast<std::size_t>(at)])};
}

/// Counts the steps that these runs skip, and says whether no run of the group takes one; keeps their points and states
/// where another does.
template <class R>
bool Study<R>::skip(i64 group, unsigned lanes, Workspace& w) const {
  bool others = false;
  for (int lane = 0; lane < lanes_of(group); ++lane) {
    const i64 run = run_of(group, lane);
    if (lanes >> lane & 1u)
      ++arrays_.skipped[run];
    else
      others |= active_[static_cast<std::size_t>(run)] != 0;
  }
  if (!others) return true;
  w.kept.reserve(packs_ * (1 + static_cast<i64>(states_.size())));
  P* to = std::copy_n(point(group), packs_, w.kept.get());
  for (std::size_t k = 0; k < states_.size(); ++k) to = std::copy_n(state(static_cast<i64>(k), group), packs_, to);
  return false;
}

template <class R>
void Study<R>::restore(i64 group, unsigned lanes, const Workspace& w) const {
  const P* from = w.kept.get();
  for (i64 k = -1; k < static_cast<i64>(states_.size()); ++k, from += packs_) {
    P* to = k < 0 ? point(group) : state(k, group);
    for (int lane = 0; lane < lanes_of(group); ++lane)
      if (lanes >> lane & 1u)
        for (i64 i = 0; i < packs_; ++i) to[i][lane] = from[i][lane];
  }
}

template class Study<float>;
template class Study<double>;

}  // namespace optlab
