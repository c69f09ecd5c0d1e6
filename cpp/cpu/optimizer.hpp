// One optimizer: a rule with its hyperparameters for every segment and run, and what needs whole points: norms,
// clipping, projection, noise. Segments are the layers of a point; each has its own constants and norms.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "landscape.hpp"
#include "noise.hpp"
#include "quantized.hpp"
#include "rule.hpp"

namespace optlab {

/// Elements [begin, end) of a point.
struct Segment {
  i64 begin, end;
};

/// What becomes of a step whose gradient is not finite.
enum class OnNonfinite : i64 { propagate, raise, skip };

struct OptimizerSetup {
  std::string rule;
  OnNonfinite nonfinite = OnNonfinite::propagate;
  u32 flags = 0;
  bool quantized = false;  ///< Adam, with its two averages in bytes
  double clip_norm = std::numeric_limits<double>::infinity(), max_norm = std::numeric_limits<double>::infinity();
  i64 rows = 1;  ///< runs that have hyperparameters of their own; 1: all runs share them
  std::vector<Segment> segments;
  std::vector<double> parameters;  ///< (segments, rows, around + own)
};

/// The same with neighbouring segments that have the same hyperparameters as one, where none has norms of its own.
OptimizerSetup merged(OptimizerSetup setup);

/// The learning rate of one step: the hyperparameter times a factor, or given anew for one row or each.
struct Rate {
  double factor = 1;
  const std::vector<double>* given = nullptr;
};

/// Consecutive elements of one run with the same constants.
template <class R>
struct Span {
  R* x;
  const R* g;
  R* states[kMaxStates];
  QuantizedStates quantized;  ///< in their place where the optimizer keeps bytes
  i64 first, n;               ///< the number of the first element in the run, and how many there are
  bool rare = false;          ///< whether a norm is out of range, or the factor that clips
  Pack<R> constants[kMaxConstants];
};

/// Noise that an update adds: sigma times a standard normal.
template <class R>
struct Noise {
  R sigma = 0;
  u64 seed = 0;
};

template <class R>
class Optimizer {
 public:
  using P = Pack<R>;
  explicit Optimizer(const OptimizerSetup& setup);

  const Rule<R>& rule() const { return *rule_; }
  const std::vector<Segment>& segments() const { return setup_.segments; }
  i64 rows() const { return setup_.rows; }
  bool quantized() const { return setup_.quantized; }
  OnNonfinite nonfinite() const { return setup_.nonfinite; }
  /// Whether a step needs a norm of each run.
  bool needs_norms() const { return rule_->layerwise || clips() || projects(); }
  /// Constants of one segment for the runs row .. row + lanes - 1, one run in each lane; a single run fills all lanes.
  void constants(P* out, std::size_t segment, i64 row, int lanes, i64 step, Rate rate) const;

  /// Lanes are runs, of which those count that go on. `constants` holds kMaxConstants packs per segment and is used up.
  void update(P* x, const P* g, P* const* states, P* constants, StepAddress at, LaneMask<R> counts) const;
  void project(P* x, i64 dim, LaneMask<R> counts) const;
  /// Lanes are elements: the spans of one run, in order, one per segment.
  void update(std::vector<Span<R>>& spans, StepAddress at, const Noise<R>& noise, int threads) const;
  void project(const std::vector<Span<R>>& spans, int threads) const;
  /// `row` is row 0 of a matrix, and g holds the gradients of the rows named, one after the other.
  void update_rows(Span<R> row, const i64* rows, i64 count, int threads) const;

 private:
  bool clips() const { return setup_.clip_norm < std::numeric_limits<double>::infinity(); }
  bool projects() const { return setup_.max_norm < std::numeric_limits<double>::infinity(); }
  u32 flags_of(const Span<R>& span) const;
  void update_part(const Span<R>& span, i64 from, i64 to, StepAddress at) const;
  void clip(std::vector<Span<R>>& spans, int threads) const;
  void measure(std::vector<Span<R>>& spans, int threads) const;

  OptimizerSetup setup_;
  const Rule<R>* rule_;
};

}  // namespace optlab
