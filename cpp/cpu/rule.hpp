// An update rule as the host's loops see it.
#pragma once
#include <string>
#include <vector>

#include "pack.hpp"

namespace optlab {

inline constexpr int kMaxStates = 4, kMaxConstants = 8;

/// One rule of the list with its functions for the number type R.
template <class R>
struct Rule {
  std::string name;
  std::vector<std::string> states, parameters;
  /// Hyperparameters and the step number -> the constants of that step, in double.
  void (*prepare)(const double* parameters, i64 step, double* constants);
  /// x, states updated in place for n elements; constants hold one number per lane.
  void (*update)(R* x, const R* g, R* const* states, i64 n, const Pack<R>* constants, u32 flags);
  /// The same with one number for all elements, not yet rounded to R. It sets the floating-point environment itself.
  void update_all(R* x, const R* g, R* const* states, i64 n, const double* constants, u32 flags) const;
};

template <class R>
const Rule<R>& find_rule(const std::string& name);
std::vector<std::string> rule_names();

}  // namespace optlab
