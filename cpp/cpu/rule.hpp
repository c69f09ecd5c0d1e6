// An update rule as the host's loops see it.
#pragma once
#include <string>
#include <vector>

#include "optlab/norms.hpp"
#include "pack.hpp"

namespace optlab {

inline constexpr int kMaxStates = 4, kMaxConstants = 17, kMaxParameters = 16;

/// One rule of the list with its functions for the number type R. Constants are those around every rule, then its own.
template <class R>
struct Rule {
  using P = Pack<R>;
  std::string name;
  std::vector<std::string> states, parameters;
  int constants = 0;
  bool layerwise = false, divides = false;
  /// Hyperparameters (around, then own; the learning rate is the first of the own) and the step -> constants, in
  /// double.
  void (*prepare)(const double* parameters, i64 step, u32 flags, double* constants) = nullptr;
  /// The same for as many runs as a register holds doubles.
  void (*prepare_runs)(const PackD* parameters, i64 step, u32 flags, PackD* constants) = nullptr;
  /// x, states updated in place for n elements; constants hold one number per lane.
  void (*update)(R* x, const R* g, R* const* states, i64 n, const P* constants, u32 flags) = nullptr;
  /// Layerwise rules, before the update: the norms of x and of what the rule measures. Lanes are runs, ...
  void (*measure_runs)(ScaledNorm<P>* norms, const P* x, const P* g, R* const* states, i64 n, const P* constants,
                       u32 flags, typename Number<P>::Mask counts) = nullptr;
  /// ... or elements: then one pair of sums of squares for each block of kSumBlock elements. The states move where no
  /// scales are given.
  void (*measure)(R* squares, const R* x, const R* g, R* const* states, i64 n, const P* constants, u32 flags,
                  const R* scales) = nullptr;
  /// Puts the two norms to use in the constants.
  void (*adapt)(const ScaledNorm<P>* norms, P* constants) = nullptr;
};

template <class R>
const Rule<R>& find_rule(const std::string& name);
std::vector<std::string> rule_names();
/// Names of the hyperparameters around every rule, in order.
std::vector<std::string> around_parameters();

}  // namespace optlab
