// One run of a study, in the hands of one thread.
#pragma once
#include "cuda/run_step.cuh"

namespace optlab {

inline constexpr int kRunThreads = 128;  ///< of a block, at most; it may have all registers

/// The run of this thread.
__device__ inline i64 run_number() {
  return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <class Surface, class F, u32 options, u32 flags>
class Run : RunStep<Surface, F, options, flags> {
  using Step = RunStep<Surface, F, options, flags>;
  using Step::dim, Step::s_, Step::number_, Step::x_, Step::g_;
  using R = typename Surface::Real;

 public:
  __device__ Run(const StudyTable<R>& study, i64 number, i64 row, const Surface& surface)
      : Step(study, number), surface_(surface), row_(row) {
    load_row<R, dim>(x_, s_.last + number * dim);
    find_next_record();
  }

  /// Measures, tests and records x_t, and may jump from there. Says whether the run goes on. A step by batches sees the
  /// terms of `index`; null where none follows.
  __device__ bool begin(i64 t, const i64* index) {
    for (bool jumped = false;; jumped = true) {
      find_gradient(index);
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
    this->update(t - s_.first_step + s_.rule_step, constants, factor);
    if constexpr (noisy) {
      const R sigma = s_.numbers[kSigma];
      each_normal(kNoise, t, [&](int i, R z) { x_[i] = x_[i] + sigma * z; });
    }
    if constexpr (projects) {
      const Shortening<R> by = projection_factor<R>(this->template norm_of<true>(x_), s_.numbers[kMaxNorm]);
      each<R, dim>([&](int i) { x_[i] = x_[i] * by.unit * by.factor; });
    }
  }

  /// What the rule will see.
  __device__ void find_gradient(const i64* index) {
    if constexpr (!batches)
      surface_.grad(g_, x_);
    else if (index)
      surface_.batch(index, s_.batch).grad(g_, x_);
  }

  __device__ void save_point() const { store_row<R, dim>(s_.last + number_ * dim, x_); }
  using Step::save_states;

 private:
  static constexpr bool noisy = (options & kNoisy) != 0, noisy_gradient = (options & kNoisyGradient) != 0;
  static constexpr bool with_stops = (options & kStops) != 0, perturbs = (options & kPerturbs) != 0;
  static constexpr bool looks = (options & kLooks) != 0;
  static constexpr bool must_decrease = (options & kMustDecrease) != 0, projects = (options & kProjects) != 0;
  static constexpr bool batches = (options & kBatches) != 0;

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
      if constexpr (looks) reason = reason == 0 && looked_at(t, s_.last_step) && is_lost() ? kNonfinite : reason;
      wants_value = reason ? row_ < s_.records : jumps(t);
      wants_norm = reason && row_ < s_.records;
    }
  }

  /// Of the whole function, also where the rule sees a batch.
  __device__ R norm_of_gradient() const {
    if constexpr (batches) {
      R whole[dim];
      surface_.grad(whole, x_);
      return norm_of_point(whole);
    } else {
      return norm_of_point(g_);
    }
  }
  __device__ R norm_of_point(const R* numbers) const {
    return norm_by([&](int i, auto scaled) {
      const R x = scaled(numbers[i]);
      return x * x;
    });
  }

  __device__ bool is_lost() const {
    const R seen = quantity(StopKind::nonfinite, nullptr, nullptr);
    return seen != seen;
  }

  /// The norm from the squares of the numbers scaled(x).
  template <class Square>
  __device__ R norm_by(const Square& square) const {
    return scaled_norm<R>([&](auto scaled) {
             Sum<R> sum;
             each<R, dim>([&](int i) { sum.add(square(i, scaled)); });
             return sum.result();
           })
        .value();
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
      return norm_by([&](int i, auto scaled) { return distance_term<R>(scaled(x_[i] - low[i]), high[i]); });
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
        ball_scale<R>(s_.numbers[kRadius], dim, sum.result(), this->run(), static_cast<u64>(t), kPerturbation, s_.seed);
    each<R, dim>([&](int i) { x_[i] = g_[i] * scale + x_[i]; });
  }

  /// visit(i, z) with a standard normal for each coordinate.
  template <class Visit>
  __device__ void each_normal(u32 stream, i64 t, const Visit& visit) const {
    constexpr int words = Number<R>::words, blocks = (dim + words - 1) / words;
    each<Vector<R>, blocks>([&](int block) {
      R z[words];
      normal_block<R>(z, block, this->run(), static_cast<u64>(t), stream, s_.seed);
#pragma unroll
      for (int j = 0; j < words; ++j)
        if (block * words + j < dim) visit(block * words + j, z[j]);
    });
  }

  const Surface surface_;
  i64 row_, next_record_;  // the next record, and its step
  R value_ = R(0), norm_ = R(0);
};

}  // namespace optlab
