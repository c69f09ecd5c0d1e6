// Many small networks at once: lanes are runs, every number of the passes is a pack, and samples stream through in
// blocks that stay in the cache. The sums are those of one network at a time (network.cpp), in the same order.
#pragma once
#include "network.hpp"

namespace optlab {

/// Whether lanes can be runs: nothing is normalized, and no derivative by inputs is penalized.
template <class R>
bool lanes_can_be_runs(const NetworkSetup<R>& setup);

/// How many bytes the parameters of a group take, and what it works on at a time.
template <class R>
i64 lane_bytes(const NetworkSetup<R>& setup);

/// Values, one in each lane, and gradients (unless g is null) of the loss, without penalties on parameters.
template <class R>
void evaluate_lanes(const NetworkSetup<R>& setup, R* value, Pack<R>* g, const Pack<R>* theta, const Batch& batch,
                    Buffer<Pack<R>>& scratch);

}  // namespace optlab
