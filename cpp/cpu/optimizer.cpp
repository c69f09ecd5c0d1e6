// The constants of a step, and the step where lanes are runs.
#include "optimizer.hpp"

#include <algorithm>

#include "environment.hpp"
#include "optlab/loops/update.hpp"
#include "sums.hpp"

namespace optlab {
namespace {

/// The norms over all segments of the runs in the lanes that count.
template <class R, bool of_small>
ScaledNorm<Pack<R>> norm_of_runs(const std::vector<Segment>& segments, const Pack<R>* numbers, LaneMask<R> counts) {
  const auto sum_with = [&](auto scaled) {
    SquaresOfSegments<Pack<R>> squares;
    for (const Segment& segment : segments) {
      for (i64 i = segment.begin; i < segment.end; ++i) squares.add(scaled(numbers[i]));
      squares.end_segment();
    }
    return squares.result();
  };
  return scaled_norm<Pack<R>, of_small>(sum_with, counts);
}

}  // namespace

OptimizerSetup merged(OptimizerSetup setup) {
  const double inf = std::numeric_limits<double>::infinity();
  if (setup.quantized || setup.clip_norm < inf || setup.max_norm < inf || find_rule<double>(setup.rule).layerwise)
    return setup;
  const std::size_t row = setup.parameters.size() / setup.segments.size();
  std::vector<Segment> segments;
  std::vector<double> parameters;
  for (std::size_t k = 0; k < setup.segments.size(); ++k) {
    const double* own = setup.parameters.data() + k * row;
    const bool alike = k > 0 && segments.back().end == setup.segments[k].begin &&
                       std::equal(own, own + row, parameters.end() - static_cast<std::ptrdiff_t>(row));
    if (alike) {
      segments.back().end = setup.segments[k].end;
    } else {
      segments.push_back(setup.segments[k]);
      parameters.insert(parameters.end(), own, own + row);
    }
  }
  setup.segments = std::move(segments);
  setup.parameters = std::move(parameters);
  return setup;
}

template <class R>
Optimizer<R>::Optimizer(const OptimizerSetup& setup) : setup_(setup), rule_(&find_rule<R>(setup.rule)) {}

template <class R>
void Optimizer<R>::constants(P* out, std::size_t segment, i64 row, int lanes, i64 step, Rate rate) const {
  const FloatEnvironment environment;
  const std::size_t count = Around::parameters + rule_->parameters.size(), lr = Around::parameters;
  const auto constants = static_cast<std::size_t>(rule_->constants);
  const auto rates = rate.given ? static_cast<i64>(rate.given->size()) : 1;
  const auto parameter = [&](std::size_t k, i64 of) {
    if (k == lr && rate.given) return (*rate.given)[static_cast<std::size_t>(rates == 1 ? 0 : of)];
    const i64 table_row = static_cast<i64>(segment) * setup_.rows + (setup_.rows == 1 ? 0 : of);
    const double p = setup_.parameters[static_cast<std::size_t>(table_row) * count + k];
    return k == lr ? p * rate.factor : p;
  };
  if (lanes == 1 || (setup_.rows == 1 && rates == 1)) {
    double p[kMaxParameters], c[kMaxConstants];
    for (std::size_t k = 0; k < count; ++k) p[k] = parameter(k, row);
    rule_->prepare(p, step, setup_.flags, c);
    for (std::size_t k = 0; k < constants; ++k) out[k] = splat(static_cast<R>(c[k]));
    return;
  }
  for (int begin = 0; begin < lanes; begin += kLanes<double>) {
    PackD p[kMaxParameters], c[kMaxConstants];
    const int used = std::min(lanes - begin, kLanes<double>);
    for (std::size_t k = 0; k < count; ++k)
      for (int l = 0; l < kLanes<double>; ++l) p[k][l] = parameter(k, row + begin + std::min(l, used - 1));
    rule_->prepare_runs(p, step, setup_.flags, c);
    for (std::size_t k = 0; k < constants; ++k)
      for (int l = 0; l < used; ++l) out[k][begin + l] = static_cast<R>(c[k][l]);
  }
}

// ---------------------------------------------------------------- lanes are runs

template <class R>
void Optimizer<R>::update(P* x, const P* g, P* const* states, P* constants, StepAddress at, LaneMask<R> counts) const {
  const std::size_t segments = setup_.segments.size();
  u32 clipped = 0;
  if (clips()) {
    const auto norm = norm_of_runs<R, false>(setup_.segments, g, counts);
    const Shortening<P> by = clip_factor(norm, static_cast<R>(setup_.clip_norm));
    if (Number<P>::any(by.split())) clipped = kRare;
    for (std::size_t k = 0; k < segments; ++k) {
      P* c = constants + k * kMaxConstants;
      c[Around::scale] = c[Around::scale] * by.factor;
      c[Around::unit] = by.unit;
    }
  }
  for (std::size_t k = 0; k < segments; ++k) {
    const Segment& segment = setup_.segments[k];
    const i64 n = segment.end - segment.begin;
    R* part[kMaxStates];
    for (std::size_t s = 0; s < rule_->states.size(); ++s) part[s] = reinterpret_cast<R*>(states[s] + segment.begin);
    P* c = constants + k * kMaxConstants;
    u32 flags = setup_.flags | clipped;
    if (rule_->layerwise) {
      ScaledNorm<P> norms[2];
      rule_->measure_runs(norms, x + segment.begin, g + segment.begin, part, n, c, flags, counts);
      rule_->adapt(norms, c);
      const P one = splat(R(1));
      if (Number<P>::any(norms[0].scale != one || norms[1].scale != one)) flags |= kRare;
    }
    rule_->update(reinterpret_cast<R*>(x + segment.begin), reinterpret_cast<const R*>(g + segment.begin), part,
                  n * kLanes<R>, c, flags);
    if constexpr (sizeof(R) == 4)
      if (setup_.quantized) {
        P* const averages[2] = {states[0] + segment.begin, states[1] + segment.begin};
        round_runs(averages, segment.begin, n, at);
      }
  }
}

template <class R>
void Optimizer<R>::project(P* x, i64 dim, LaneMask<R> counts) const {
  if (!projects()) return;
  const auto norm = norm_of_runs<R, true>(setup_.segments, x, counts);
  const Shortening<P> by = projection_factor(norm, static_cast<R>(setup_.max_norm));
  for (i64 i = 0; i < dim; ++i) x[i] = x[i] * by.unit * by.factor;
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace optlab
