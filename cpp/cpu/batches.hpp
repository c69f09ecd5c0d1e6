// Which samples a step of a run sees.
#pragma once
#include <string>
#include <vector>

#include "noise.hpp"

namespace optlab {

/// replacement: drawn afresh; shuffle: every epoch in a new random order; order: every epoch as the data lie.
enum class Sampling { replacement, shuffle, order };

inline Sampling sampling_named(const std::string& name) {
  return name == "shuffle" ? Sampling::shuffle : name == "order" ? Sampling::order : Sampling::replacement;
}

/// The batches of one run. An epoch's order is drawn once and kept, four bytes a sample.
class Batches {
 public:
  Batches(Sampling sampling, i64 size) : sampling_(sampling), size_(size) {}

  /// Writes the sample numbers below `samples` of step t. Without replacement, batches follow each other through the
  /// epochs and may reach over the end of one; the order of an epoch is addressed by its number in the place of the
  /// step.
  void at(i64* to, i64 t, u32 run, i64 samples, u64 seed) {
    if (sampling_ == Sampling::replacement)
      return draw_indices(to, size_, static_cast<u32>(samples), run, {seed, kBatch, static_cast<u64>(t)});
    i64 epoch = t * size_ / samples, row = t * size_ % samples;
    for (i64 k = 0; k < size_; ++k, ++row) {
      if (row == samples) row = 0, ++epoch;
      to[k] = sampling_ == Sampling::order ? row : order_of(epoch, run, samples, seed)[row];
    }
  }

 private:
  const u32* order_of(i64 epoch, u32 run, i64 samples, u64 seed) {
    if (epoch != epoch_) {
      order_.resize(static_cast<std::size_t>(samples));
      draw_permutation(order_.data(), samples, run, {seed, kBatch, static_cast<u64>(epoch)});
      epoch_ = epoch;
    }
    return order_.data();
  }

  Sampling sampling_;
  i64 size_;
  std::vector<u32> order_;
  i64 epoch_ = -1;
};

}  // namespace optlab
