// One run of a study, in the hands of one thread.
#pragma once
#include "cuda/study.cuh"
#include "optlab/norm_factors.hpp"
#include "optlab/quantize.hpp"

namespace optlab {

template <class Surface, class F, u32 options, u32 flags>
class Run {
 public:
  using R = typename Surface::Real;

  __device__ Run(const StudyTable<R>& study, i64 number, i64 row)
      : s_(study), surface_{study.coefficients, study.rotation}, number_(number), row_(row) {
    load_row<R, dim>(x_, s_.last + number * dim);
    load_states();
    find_next_record();
  }

  /// Measures, tests and records x_t, and may jump from there. Says whether the run goes on.
  __device__ bool begin(i64 t) {
    for (bool jumped = false;; jumped = true) {
      surface_.grad(g_, x_);
      if (jumped) return true;
      const bool waited = must_decrease && t - jump_step() == s_.wait;
      const i64 reason = measure(t == next_record_, waited, t);
      if (reason) return stop(t, reason);
      if (t == next_record_) {
        record(row_++);
        find_next_record();
      }
      if (waited && !(value_ - s_.perturbed_value[number_] <= -s_.numbers[kDecrease])) return stop(t, kNoDecrease);
      if (!jumps(t)) return true;
      jump(t);
    }
  }

  __device__ void end(i64 t, const R* constants, const double* factor) {
    if constexpr (noisy_gradient)
      each_normal(kGradientNoise, t, [&](int i, R z) { g_[i] = g_[i] + s_.gradient_noise[i] * z; });
    update(t - s_.first_step + s_.rule_step, constants, factor);
    if constexpr (noisy) {
      const R sigma = s_.numbers[kSigma];
      each_normal(kNoise, t, [&](int i, R z) { x_[i] = x_[i] + sigma * z; });
    }
    if constexpr (projects) {
      const R factor_of_x = projection_factor<R>(norm_of(x_), s_.numbers[kMaxNorm]);
      each<R, dim>([&](int i) { x_[i] = x_[i] * factor_of_x; });
    }
  }

  __device__ void save() {
    store_row<R, dim>(s_.last + number_ * dim, x_);
    save_states();
  }

 private:
  static constexpr int dim = Surface::dim, constants_of_step = Around::constants + F::constants;
  static constexpr bool noisy = (options & kNoisy) != 0, noisy_gradient = (options & kNoisyGradient) != 0;
  static constexpr bool with_stops = (options & kStops) != 0, perturbs = (options & kPerturbs) != 0;
  static constexpr bool must_decrease = (options & kMustDecrease) != 0, projects = (options & kProjects) != 0;
  static constexpr bool clips = (options & kClips) != 0, own_parameters = (options & kOwnParameters) != 0;
  static constexpr bool segmented = (options & kSegments) != 0, bytes = (options & kBytes) != 0;

  // ---------------------------------------------------------------- what is measured

  /// The first stopping rule that is met, counted from 1, or 0; with the value and the norm of the gradient, where they
  /// are wanted: for the rules, for a record, and for what may come after these.
  __device__ i64 measure(bool recorded, bool waited, i64 t) {
    bool wants_value = recorded || waited || (options & kStopsByValue), has_value = false;
    bool wants_norm = recorded || perturbs || (options & kStopsByNorm), has_norm = false;
    i64 reason = 0;
    for (bool tested = false;; tested = true) {  // the second time for what only a stop or a jump wants
      if (wants_value && !has_value) value_ = surface_.value(x_);
      if (wants_norm && !has_norm) norm_ = norm_of_gradient();
      if (tested) return reason;
      has_value = wants_value;
      has_norm = wants_norm;
      if constexpr (with_stops) reason = rule_met();
      wants_value = reason ? row_ < s_.records : jumps(t);
      wants_norm = reason && row_ < s_.records;
    }
  }

  __device__ R norm_of_gradient() const {
    Sum<R> sum;
    each<R, dim>([&](int i) { sum.add(g_[i] * g_[i]); });
    return sqrt<R>(sum.result());
  }

  __device__ i64 rule_met() const {
    for (i64 k = 0; k < s_.rules; ++k) {
      const R* numbers = s_.stop_numbers + k * (1 + 2 * dim);
      const auto kind = static_cast<StopKind>(s_.stop_kinds[2 * k]);
      if (is_met<R>(kind, s_.stop_kinds[2 * k + 1] != 0, quantity(kind, numbers + 1, numbers + 1 + dim), *numbers))
        return k + 1;
    }
    return 0;
  }
  __device__ R quantity(StopKind kind, const R* low, const R* high) const {
    if (kind == StopKind::grad_norm) return norm_;
    if (kind == StopKind::value) return value_;
    if (kind == StopKind::distance) {
      Sum<R> sum;
      each<R, dim>([&](int i) { sum.add(distance_term<R>(x_[i], low[i], high[i])); });
      return sqrt<R>(sum.result());
    }
    const bool box = kind == StopKind::box;
    R worst = box ? -Number<R>::from_bits(Constants<R>::infinity) : R(0);
    each<R, dim>([&](int i) { worst = box ? further_out<R>(worst, x_[i], low[i], high[i]) : worst + x_[i] * R(0); });
    return worst;
  }

  // ---------------------------------------------------------------- what is kept

  __device__ void find_next_record() { next_record_ = row_ < s_.records ? s_.record_steps[row_] : -1; }

  __device__ void record(i64 row) const {
    const i64 at = row * s_.runs + number_;
    s_.record_value[at] = value_;
    s_.record_norm[at] = norm_;
    if (s_.record_x) store_row<R, dim>(s_.record_x + at * dim, x_);
  }

  /// The run stays where it is, or, if a jump did not help, where that began. Its records from here on repeat that.
  __device__ bool stop(i64 t, i64 reason) {
    s_.stop_step[number_] = t;
    s_.stop_reason[number_] = reason;
    if (reason == kNoDecrease) {
      load_row<R, dim>(x_, s_.perturbed_x + number_ * dim);
      value_ = s_.perturbed_value[number_];
      norm_ = s_.perturbed_norm[number_];
    }
    for (; row_ < s_.records; ++row_) record(row_);
    return false;
  }

  // ---------------------------------------------------------------- perturbation

  __device__ i64 jump_step() const { return s_.perturbed_step[number_]; }
  __device__ bool jumps(i64 t) const {
    return perturbs && t < s_.last_step && norm_ <= s_.numbers[kSmallGradient] && t - jump_step() > s_.wait;
  }

  __device__ void jump(i64 t) {
    store_row<R, dim>(s_.perturbed_x + number_ * dim, x_);
    s_.perturbed_step[number_] = t;
    s_.perturbed_value[number_] = value_;
    s_.perturbed_norm[number_] = norm_;
    Sum<R> sum;
    each_normal(kPerturbation, t, [&](int i, R z) {
      g_[i] = z;
      sum.add(z * z);
    });
    const R scale =
        ball_scale<R>(s_.numbers[kRadius], dim, sum.result(), run(), static_cast<u64>(t), kPerturbation, s_.seed);
    each<R, dim>([&](int i) { x_[i] = g_[i] * scale + x_[i]; });
  }

  __device__ u32 run() const { return static_cast<u32>(s_.first_run + number_); }

  /// visit(i, z) with a standard normal for each coordinate.
  template <class Visit>
  __device__ void each_normal(u32 stream, i64 t, const Visit& visit) const {
    constexpr int words = Number<R>::words, blocks = (dim + words - 1) / words;
    each<Vector<R>, blocks>([&](int block) {
      R z[words];
      normal_block<R>(z, block, run(), static_cast<u64>(t), stream, s_.seed);
#pragma unroll
      for (int j = 0; j < words; ++j)
        if (block * words + j < dim) visit(block * words + j, z[j]);
    });
  }

  // ---------------------------------------------------------------- the rule

  /// visit(i) for the coordinates of a segment.
  template <class Visit>
  __device__ void each_of(i64 segment, const Visit& visit) const {
    if constexpr (segmented)
      for (i64 i = begin_of(segment); i < s_.ends[segment]; ++i) visit(static_cast<int>(i));
    else
      each<R, dim>(visit);
  }
  __device__ i64 segments() const { return segmented ? s_.segments : 1; }
  __device__ i64 begin_of(i64 segment) const { return segmented && segment ? s_.ends[segment - 1] : 0; }
  __device__ i64 end_of(i64 segment) const { return segmented ? s_.ends[segment] : dim; }

  __device__ R norm_of(const R* numbers) const {
    NormOfSegments<R> norm;
    for (i64 segment = 0; segment < segments(); ++segment) {
      each_of(segment, [&](int i) { norm.add(numbers[i]); });
      norm.end_segment();
    }
    return norm.result();
  }

  __device__ void update(i64 rule_step, const R* constants, const double* factor) {
    R scale = R(1);
    if constexpr (clips) scale = clip_factor<R>(norm_of(g_), s_.numbers[kClipNorm]);
    for (i64 segment = 0; segment < segments(); ++segment) {
      R c[constants_of_step];
      constants_for(c, segment, rule_step, constants, factor);
      if constexpr (clips) c[Around::scale] = c[Around::scale] * scale;
      if constexpr (F::layerwise) adapt(c, segment);
      each_of(segment,
              [&](int i) { with_state(i, [&](R* own) { update_element<F, R>(x_[i], g_[i], own, c, flags); }); });
      if constexpr (bytes)
        each_block(segment, [&](i64 begin, i64 n, i64) {
          round_block<R>(states_[0] + begin, states_[1] + begin, begin, n, run(), static_cast<u64>(rule_step));
        });
    }
  }

  __device__ void constants_for(R* c, i64 segment, i64 rule_step, const R* constants, const double* factor) const {
    constexpr int count = Around::parameters + F::parameters;
    if constexpr (own_parameters) {
      double p[count], prepared[constants_of_step];
      for (int k = 0; k < count; ++k) p[k] = s_.parameters[(segment * count + k) * s_.runs + number_];
      p[Around::parameters] = p[Around::parameters] * *factor;
      prepare_constants<F, double>(p, rule_step, flags, prepared);
      for (int k = 0; k < constants_of_step; ++k) c[k] = static_cast<R>(prepared[k]);
    } else {
#pragma unroll
      for (int k = 0; k < constants_of_step; ++k) c[k] = constants[segment * kConstants + k];
    }
  }

  __device__ void adapt(R* c, i64 segment) {
    Sum<R> of_x, of_u;
    each_of(segment, [&](int i) {
      R u;
      with_state(i, [&](R* own) { u = measured<F, R>(x_[i], g_[i], own, c, flags); });
      of_x.add(x_[i] * x_[i]);
      of_u.add(u * u);
    });
    F::template adapt<R>(sqrt<R>(of_x.result()), sqrt<R>(of_u.result()), c + Around::constants);
  }

  // ---------------------------------------------------------------- the states

  /// work(the states of coordinate i), which it may change.
  template <class Work>
  __device__ void with_state(int i, const Work& work) {
    R own[F::states + 1];  // + 1: a rule without state has no empty array
#pragma unroll
    for (int k = 0; k < F::states; ++k) own[k] = states_[k][i];
    work(own);
#pragma unroll
    for (int k = 0; k < F::states; ++k) states_[k][i] = own[k];
  }

  /// visit(begin, length, number among the scales) for the blocks of bytes of a segment.
  template <class Visit>
  __device__ void each_block(i64 segment, const Visit& visit) const {
    constexpr i64 length = kQuantizedBlock;
    i64 block = number_ * s_.blocks;
    for (i64 k = 0; k < segment; ++k) block += (end_of(k) - begin_of(k) + length - 1) / length;
    for (i64 begin = begin_of(segment); begin < end_of(segment); begin += length, ++block)
      visit(begin, end_of(segment) - begin < length ? end_of(segment) - begin : length, block);
  }
  template <class Visit>
  __device__ void each_block(const Visit& visit) const {
    for (i64 segment = 0; segment < segments(); ++segment) each_block(segment, visit);
  }
  __device__ unsigned char* codes(int k) const { return static_cast<unsigned char*>(s_.states[k]) + number_ * dim; }

  __device__ void load_states() {
    if constexpr (bytes)
      each_block([&](i64 begin, i64 n, i64 block) {
        const R scales[2] = {s_.scales[0][block], s_.scales[1][block]};
        for (i64 i = begin; i < begin + n; ++i) {
          states_[0][i] = FirstCode<R>::decode(codes(0)[i]) * scales[0];
          states_[1][i] = SecondCode<R>::decode(codes(1)[i]) * scales[1];
        }
      });
    else
      for (int k = 0; k < F::states; ++k)
        load_row<R, dim>(states_[k], static_cast<const R*>(s_.states[k]) + number_ * dim);
  }
  /// Bytes stand for the averages exactly: each step has rounded them so.
  __device__ void save_states() const {
    if constexpr (bytes)
      each_block([&](i64 begin, i64 n, i64 block) {
        R scales[2];
        find_scales<R>(scales, states_[0] + begin, states_[1] + begin, n);
        const R inverse[2] = {reciprocal<R>(scales[0]), reciprocal<R>(scales[1])};
        for (int k = 0; k < 2; ++k) s_.scales[k][block] = scales[k];
        for (i64 i = begin; i < begin + n; ++i) {
          codes(0)[i] =
              static_cast<unsigned char>(FirstCode<R>::encode(states_[0][i] * inverse[0], FirstCode<R>::nearest()));
          codes(1)[i] =
              static_cast<unsigned char>(SecondCode<R>::encode(states_[1][i] * inverse[1], SecondCode<R>::nearest()));
        }
      });
    else
      for (int k = 0; k < F::states; ++k) store_row<R, dim>(static_cast<R*>(s_.states[k]) + number_ * dim, states_[k]);
  }

  const StudyTable<R>& s_;
  const Surface surface_;
  const i64 number_;
  i64 row_, next_record_;  // the next record, and its step
  R value_ = R(0), norm_ = R(0);
  R x_[dim], g_[dim], states_[F::states + 1][dim];
};

}  // namespace optlab
