// Studies of a landscape that Python evaluates, one step in two launches: `begin_step` measures, tests, records and may
// jump, whereupon Python evaluates the gradient again; `end_step` applies the rule. One thread takes a run, as in
// descend.cu.
#include "cuda/run.cuh"

namespace optlab {

/// The value and the gradient at the point of one run, found before and standing in memory.
template <class R, int dimension>
struct Given {
  using Real = R;
  static constexpr int dim = dimension;
  const R *found_value, *found_grad;

  OPTLAB_HD R value(const R*) const { return *found_value; }
  OPTLAB_HD void grad(R* g, const R*) const { load_row<R, dim>(g, found_grad); }
};

/// At step t, which is not after the one of record `row`; value: (runs,), grad: (runs, dim). It needs no rule.
template <class R, int dim, u32 options>
__global__ void __launch_bounds__(kRunThreads, 1)
    begin_step(const StudyTable<R>* study, i64 t, i64 row, const R* value, const R* grad) {
  const i64 number = run_number();
  if (number >= study->runs || study->stop_step[number] >= 0) return;
  Run<Given<R, dim>, rules::sgd, options, 0> run(*study, number, row, {value + number, grad + number * dim});
  const bool goes_on = run.begin(t, nullptr);
  if constexpr ((options & kPerturbs) != 0) {
    run.save_point();
    if (goes_on && study->perturbed_step[number] == t) study->progress[2] = 1;
  }
  if (goes_on) study->progress[0] = 1;
}

/// With the constants of one step, or the factor of the learning rate from which each run makes its own.
template <class R, int dim, class F, u32 options, u32 flags>
__global__ void __launch_bounds__(kRunThreads, 1)
    end_step(const StudyTable<R>* study, i64 t, const R* grad, const R* constants, const double* factor) {
  const i64 number = run_number();
  if (number == 0) study->progress[1] = t + 1;
  if (number >= study->runs || study->stop_step[number] >= 0) return;
  Run<Given<R, dim>, F, options, flags> run(*study, number, 0, {nullptr, grad + number * dim});
  run.find_gradient(nullptr);
  run.end(t, constants, factor);
  run.save_point();
  run.save_states();
}

}  // namespace optlab
