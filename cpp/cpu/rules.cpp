#include <sstream>
#include <stdexcept>

#include "optlab/updates/list.hpp"
#include "rule_loops.hpp"

namespace optlab {
namespace {

std::vector<std::string> split(const char* names) {
  std::vector<std::string> out;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) out.push_back(name);
  return out;
}

template <class F, class T>
void prepare(const T* parameters, i64 step, u32 flags, T* constants) {
  prepare_constants<F, T>(parameters, step, flags, constants);
}

template <class F, class R>
void adapt(const ScaledNorm<Pack<R>>* norms, Pack<R>* constants) {
  F::adapt(norms[0], norms[1], constants + Around::constants);
}

/// How many names are in a text that has commas between them.
constexpr int count_names(const char* names) {
  int count = *names != 0;
  for (; *names; ++names) count += *names == ',';
  return count;
}

template <class F, class R>
Rule<R> make_rule(const char* name) {
  static_assert(F::states == count_names(F::state_names) && F::parameters == count_names(F::parameter_names));
  static_assert(F::states <= kMaxStates && Around::constants + F::constants <= kMaxConstants);
  static_assert(Around::parameters + F::parameters <= kMaxParameters);
  Rule<R> rule{
      name,      split(F::state_names), split(F::parameter_names), Around::constants + F::constants, F::layerwise,
      F::divides};
  rule.prepare = &prepare<F, double>;
  rule.prepare_runs = &prepare<F, PackD>;
  rule.update = &update<F, R>;
  if constexpr (F::layerwise) {
    rule.measure_runs = &measure_runs<F, R>;
    rule.measure = &measure<F, R>;
    rule.adapt = &adapt<F, R>;
  }
  return rule;
}

template <class R>
const std::vector<Rule<R>>& rules() {
  static const std::vector<Rule<R>> list = {
// A functor with template arguments has commas of its own.
#define OPTLAB_RULE(name, ...) make_rule<__VA_ARGS__, R>(#name),
      OPTLAB_UPDATES(OPTLAB_RULE)
#undef OPTLAB_RULE
  };
  return list;
}

}  // namespace

template <class R>
const Rule<R>& find_rule(const std::string& name) {
  for (const Rule<R>& rule : rules<R>())
    if (rule.name == name) return rule;
  throw std::invalid_argument("no update rule named '" + name + "' in optlab/updates/list.hpp");
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const auto& rule : rules<double>()) names.push_back(rule.name);
  return names;
}

std::vector<std::string> around_parameters() {
  return {"lr_ratio", "weight_decay", "decoupled_weight_decay", "l1", "clip_value"};
}

template const Rule<float>& find_rule(const std::string&);
template const Rule<double>& find_rule(const std::string&);

}  // namespace optlab
