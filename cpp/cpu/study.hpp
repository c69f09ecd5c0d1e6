// The path loop: many runs of one optimizer on one landscape, in lockstep groups of as many runs as a register has
// lanes (or one run at a time with its elements in the lanes). At step t a group
//   begins: takes the gradient at x_t, tests the stopping rules, records, perturbs;
//   ends:   adds gradient noise, applies the rule, adds noise.
// A run that has stopped is copied out at once; its lane runs on unseen, so that no mask stands in the hot loop.
#pragma once
#include <mutex>
#include <vector>

#include "batches.hpp"
#include "landscape.hpp"
#include "noise.hpp"
#include "optimizer.hpp"
#include "optlab/stopping.hpp"

namespace optlab {

template <class R>
struct StopRule {
  StopKind kind;
  R threshold = 0;
  bool below = true;         ///< stop at or below the threshold, else at or above
  std::vector<R> low, high;  ///< box: the bounds; distance: center and weight of every coordinate
};

/// Perturbed gradient descent (Jin, Ge, Netrapalli, Kakade, Jordan 2017, algorithm 2).
template <class R>
struct Perturbation {
  bool on = false, must_decrease = false;
  R radius = 0, grad_norm = 0, decrease = 0;
  i64 wait = 0;
};

/// Arrays owned by the caller. Rows of runs; the records may be null.
template <class R>
struct StudyArrays {
  R* last;                 // (runs, dim)
  std::vector<R*> states;  // each (runs, dim)
  i64* stop_step;          // (runs,), -1 while running
  i64* stop_reason;        // (runs,), 0, 1 + index of the rule, kNoDecrease or kNonfinite
  R *record_x, *record_value, *record_norm;
  i64* skipped;                                       // (runs,), steps whose gradient was not finite, or null
  R* averages;                                        // (runs, averages) of the landscape, or null
  R *perturbed_x, *perturbed_value, *perturbed_norm;  // where the last perturbation began, its value and gradient norm
  i64* perturbed_step;
};

template <class R>
struct StudySetup {
  const Landscape<R>* landscape = nullptr;  ///< null: values and gradients come from outside at every step
  OptimizerSetup optimizer;
  i64 runs = 0, dim = 0, first_step = 0, last_step = 0, first_run = 0, rule_step = 0, batch_size = 0;
  bool looks = false;  ///< a run that is no longer finite stops where it is looked_at
  Sampling sampling = Sampling::replacement;
  u64 seed = 0;
  R noise = 0;                    ///< standard deviation per coordinate, after the update
  std::vector<i64> held;          ///< coordinates that stay where they are: no gradient, and put back after the step
  std::vector<R> gradient_noise;  ///< standard deviation of every coordinate, before the rule
  std::vector<i64> record_steps;
  std::vector<StopRule<R>> stops;
  Perturbation<R> perturbation;
};

/// A gradient is not finite, and the optimizer is to say so.
struct NonfiniteGradient {
  i64 run, coordinate, step;
  double number;
};

template <class R>
class Study {
 public:
  using P = Pack<R>;
  Study(StudySetup<R> setup, StudyArrays<R> arrays);

  /// Takes `steps` steps; factors[k] scales the learning rate of the k-th. The caller never asks beyond last_step.
  void advance(i64 steps, const double* factors, int threads);
  /// Tests, and records, x at last_step.
  void settle(int threads);
  /// One step in two halves with values (or null) and gradients from outside, rows of runs. begin() says whether a run
  /// was perturbed, and so wants a new gradient in end().
  bool begin(const R* value, const R* grad);
  void end(const R* grad, double factor);
  /// Copies every run's current point and state to the caller's arrays.
  void flush();
  bool any_active() const;
  i64 step() const { return now_; }

 private:
  /// What one thread needs to work on a group, and what it has measured there at this step.
  struct Workspace {
    explicit Workspace(const Study& study);
    Buffer<P> g, full, scratch, constants;
    Buffer<P> kept;  // point and states of runs that skip their step
    std::vector<Span<R>> spans;
    std::vector<i64> index;   // of the samples that every lane sees
    std::vector<R> held;      // numbers of coordinates that are held
    std::vector<R> averages;  // as they are once the step is taken
    std::size_t cursor = 0;   // first record step not before now
    bool g_is_full = true, has_full = false, has_value = false, has_norm = false, perturbed = false;
    alignas(kRegister) R value[kLanes<R>], norm[kLanes<R>];
  };
  /// Takes a workspace that no other thread has, and gives it back: its memory is touched once, not at every call.
  template <class Work>
  void with_workspace(Work work);
  struct Outside {
    const R *value = nullptr, *grad = nullptr;
  };
  i64 run_of(i64 group, int lane) const { return group * width_ + lane; }
  int lanes_of(i64 group) const;
  /// Points and states stand in the caller's arrays where rows of runs will do, in no alignment; else in packs.
  P* point(i64 group) const {
    return x_in_place_ ? reinterpret_cast<P*>(arrays_.last + group * setup_.dim) : x_.get() + group * packs_;
  }
  P* state(i64 k, i64 group) const {
    const auto of = static_cast<std::size_t>(k);
    return layout_ == Layout::elements ? reinterpret_cast<P*>(arrays_.states[of] + group * setup_.dim)
                                       : states_[of].get() + group * packs_;
  }
  bool may_stand_in_place() const;
  void copy_out(i64 group, int lane);
  void load(P* group, int lane, const R* row) const;
  void store(const P* group, int lane, R* row) const;
  bool group_active(i64 group) const;

  void advance_group(i64 group, i64 from, i64 count, const double* factor, Workspace& w);
  void begin_group(i64 group, i64 t, Workspace& w);
  void end_group(i64 group, i64 t, double factor, Workspace& w);
  void gradient(i64 group, i64 t, Workspace& w);
  Batch whole() const;
  void draw_batch(i64 group, i64 t, Workspace& w);
  void full_gradient(i64 group, Workspace& w) const;
  void measure_value(i64 group, Workspace& w) const;
  void measure_norm(i64 group, Workspace& w) const;
  template <class Square>
  void norm_of_group(R* out, i64 group, Square square) const;
  void measure_stop(const StopRule<R>& rule, i64 group, Workspace& w, R* out) const;
  void check_stops(i64 group, i64 t, Workspace& w);
  void check_finite(i64 group, i64 t, Workspace& w);
  void take_step(i64 group, i64 t, double factor, Workspace& w);
  unsigned nonfinite_lanes(i64 group, const P* numbers, const std::vector<i64>& but) const;
  void refuse(i64 group, unsigned lanes, i64 t, const P* g) const;
  bool skip(i64 group, unsigned lanes, Workspace& w) const;
  void restore(i64 group, unsigned lanes, const Workspace& w) const;
  void stop_run(i64 group, int lane, i64 t, i64 reason, Workspace& w);
  i64 record_row(i64 t, Workspace& w) const;
  void record(i64 group, i64 row, Workspace& w);
  void record_rest(i64 group, i64 from, i64 to, Workspace& w);
  void perturb(i64 group, i64 t, Workspace& w);
  void check_decrease(i64 group, i64 t, Workspace& w);
  void share_constants(const double* factors, i64 steps);
  void constants(i64 group, i64 t, double factor, Workspace& w) const;
  void own_constants(P* out, i64 group, std::size_t segment, i64 step, double factor) const;
  LaneMask<R> going_on(i64 group) const;
  void update(i64 group, i64 t, Workspace& w) const;
  template <class Visit>
  void each_held(Visit visit) const;
  void project(i64 group, const Workspace& w) const;
  template <class Visit>
  void draw_normals(i64 group, u32 stream, i64 t, Visit visit) const;

  StudySetup<R> setup_;
  Optimizer<R> optimizer_;
  StudyArrays<R> arrays_;
  Layout layout_;
  int width_;
  i64 groups_, packs_, now_;
  bool x_in_place_;
  int threads_ = 1;
  Buffer<P> x_;                    // unless in place
  std::vector<Buffer<P>> states_;  // where lanes are runs
  std::vector<unsigned char> active_;
  std::vector<R> stop_value_, stop_norm_;
  Outside outside_;
  std::vector<Batches> batches_;  // of every run
  std::vector<R> shared_;  // constants of the next steps where all runs share them: (steps, segments, kMaxConstants)
  i64 shared_from_ = 0;
  std::mutex idle_mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace optlab
