#include "rule.hpp"

#include <sstream>
#include <stdexcept>

#include "environment.hpp"
#include "optlab/updates/list.hpp"

namespace optlab {
namespace {

std::vector<std::string> split(const char* names) {
  std::vector<std::string> out;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) out.push_back(name);
  return out;
}

template <class F, class R>
OPTLAB_HD void update_pack(Pack<R>& x, Pack<R> g, R* const* states, i64 i, i64 n, const Pack<R>* c, u32 flags) {
  Pack<R> s[F::states + 1];  // + 1: a rule without state has no empty array
  for (int k = 0; k < F::states; ++k) s[k] = n < kLanes<R> ? load_part(states[k] + i, n) : load(states[k] + i);
  F::template step<Pack<R>>(x, g, s, c, flags);
  for (int k = 0; k < F::states; ++k) {
    if (n < kLanes<R>)
      store_part(states[k] + i, s[k], n);
    else
      store(states[k] + i, s[k]);
  }
}

/// The flags are compile-time constants in here, so that no test stands in the loop.
template <class F, class R, u32 flags>
void update_flagged(R* x, const R* g, R* const* states, i64 n, const Pack<R>* constants) {
  Pack<R> c[F::count];
  for (int k = 0; k < F::count; ++k) c[k] = constants[k];
  constexpr int lanes = kLanes<R>;
  i64 i = 0;
  for (; i + lanes <= n; i += lanes) {
    Pack<R> pack = load(x + i);
    update_pack<F, R>(pack, load(g + i), states, i, lanes, c, flags);
    store(x + i, pack);
  }
  if (i < n) {
    Pack<R> pack = load_part(x + i, n - i);
    update_pack<F, R>(pack, load_part(g + i, n - i), states, i, n - i, c, flags);
    store_part(x + i, pack, n - i);
  }
}

template <class F, class R>
void update(R* x, const R* g, R* const* states, i64 n, const Pack<R>* constants, u32 flags) {
  switch (flags) {
    case 0:
      return update_flagged<F, R, 0>(x, g, states, n, constants);
    case kMaximize:
      return update_flagged<F, R, kMaximize>(x, g, states, n, constants);
    case kWeightDecay:
      return update_flagged<F, R, kWeightDecay>(x, g, states, n, constants);
    default:
      return update_flagged<F, R, kMaximize | kWeightDecay>(x, g, states, n, constants);
  }
}

template <class R>
const std::vector<Rule<R>>& rules() {
  static const std::vector<Rule<R>> list = {
#define OPTLAB_RULE(name, Functor, states, parameters) \
  Rule<R>{#name, split(states), split(parameters), &Functor::prepare, &update<Functor, R>},
      OPTLAB_UPDATES(OPTLAB_RULE)
#undef OPTLAB_RULE
  };
  return list;
}

}  // namespace

template <class R>
void Rule<R>::update_all(R* x, const R* g, R* const* states_in, i64 n, const double* constants, u32 flags) const {
  const FloatEnvironment environment;
  Pack<R> c[kMaxConstants];
  for (std::size_t k = 0; k < parameters.size(); ++k) c[k] = splat(static_cast<R>(constants[k]));
  update(x, g, states_in, n, c, flags);
}

template struct Rule<float>;
template struct Rule<double>;

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

template const Rule<float>& find_rule(const std::string&);
template const Rule<double>& find_rule(const std::string&);

}  // namespace optlab
