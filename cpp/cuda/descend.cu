// Whole studies: one thread takes a run through a slab of steps, its point, gradient and states in its own registers
// (or local memory, where the dimension is too large for these). At step t, as cpu/study.hpp has it, a run
//   begins: takes the gradient at x_t, tests the stopping rules, records, jumps;
//   ends:   adds gradient noise, applies the rule, adds noise, projects.
#include "cuda/run.cuh"

namespace optlab {

/// Takes `count` steps from step `from` on, which is not before the one of record `row`; then tests and records where
/// it is to `settle`. Constants: (steps, segments, kConstants), where the runs share them; factors of the learning
/// rate: (steps,), where each has its own; index: (runs, steps, batch), the terms that the steps see, where not all.
template <class Surface, class F, u32 options, u32 flags>
__global__ void __launch_bounds__(kRunThreads, 1)
    descend(const StudyTable<typename Surface::Real>* study, i64 from, i64 count, i64 row, i64 settle,
            const typename Surface::Real* constants, const double* factors, const i64* index) {
  const i64 number = run_number();
  if (number == 0) study->progress[1] = from + count;
  if (number >= study->runs || study->stop_step[number] >= 0) return;
  Run<Surface, F, options, flags> run(*study, number, row,
                                      surface_of<Surface>(study->coefficients, study->rotation, study->samples));
  if (index) index += number * count * study->batch;
  bool goes_on = true;
  for (i64 k = 0; k < count && goes_on; ++k) {
    goes_on = run.begin(from + k, index ? index + k * study->batch : nullptr);
    if (goes_on) run.end(from + k, constants + k * study->segments * kConstants, factors + k);
  }
  if (goes_on && settle) goes_on = run.begin(from + count, nullptr);
  run.save_point();
  run.save_states();
  if (goes_on) study->progress[0] = 1;
}

}  // namespace optlab
