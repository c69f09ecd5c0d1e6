// What all launches of one study read, and which parts of a study a kernel is compiled for.
#pragma once
#include "cuda/least_squares.cuh"
#include "optlab/stopping.hpp"

namespace optlab {

/// What a study does beside its steps. What it does not do is no part of its kernel.
enum StudyOption : u32 {
  kNoisy = 1,            ///< noise after the update
  kNoisyGradient = 2,    ///< and before the rule
  kStops = 4,            ///< stopping rules
  kPerturbs = 8,         ///< jumps where the gradient is small
  kMustDecrease = 16,    ///< and stops where a jump did not help
  kClips = 32,           ///< the norm of the gradient
  kProjects = 64,        ///< on a ball
  kOwnParameters = 128,  ///< each run has hyperparameters of its own
  kSegments = 256,       ///< more than one
  kBytes = 512,          ///< averages stand in bytes between launches, and are rounded to these after each step
  kStopsByValue = 1024,  ///< a rule needs the value at every step
  kStopsByNorm = 2048,   ///< or the norm of the gradient
  kLooks = 4096,         ///< whether x is finite, where it is looked_at
  kBatches = 8192,       ///< a step sees some terms of a finite sum
};

/// The real numbers of a study, in this order.
enum StudyNumber { kSigma, kRadius, kSmallGradient, kDecrease, kClipNorm, kMaxNorm };

/// Pointers and whole numbers of 64 bits, in the order in which optlab/backends/gpu/descend.py writes them down.
template <class R>
struct StudyTable {
  const R *coefficients, *rotation;
  R* last;                       // (runs, dim)
  void* states[4];               // each (runs, dim), of R or of bytes
  R* scales[2];                  // (runs, blocks)
  i64 *stop_step, *stop_reason;  // (runs,), -1 and 0 while running
  const i64* record_steps;
  R *record_value, *record_norm;  // (records, runs)
  R* record_x;                    // (records, runs, dim), or null
  R* perturbed_x;                 // where the last jump of a run began, its value and gradient norm, and its step
  R *perturbed_value, *perturbed_norm;
  i64* perturbed_step;
  const R* gradient_noise;   // (dim,)
  const i64* stop_kinds;     // (rules, 2): a StopKind, and whether it is met from above
  const R* stop_numbers;     // (rules, 1 + 2 dim): the threshold; bounds, or center and weights
  const i64* ends;           // of the segments
  const double* parameters;  // (segments, hyperparameters, runs)
  const R* numbers;          // by StudyNumber
  i64* progress;             // 1 where a run goes on, the step that those have come to, and 1 where one jumped
  i64 runs, first_run, first_step, last_step, rule_step, records, rules, segments, blocks, wait, samples, batch;
  u64 seed;
};

}  // namespace optlab
