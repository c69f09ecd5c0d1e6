// The only element loop of an update rule. T is a scalar on the device and a pack on the host; the caller loads and
// stores.
#pragma once
#include "../portable.hpp"

namespace optlab {

/// Options that are the same for every element, tested outside the loop.
enum UpdateFlags : u32 { kMaximize = 1, kWeightDecay = 2 };

/// The gradient a rule sees: turned uphill when maximizing, with coupled weight decay (g + decay * x).
template <class T>
OPTLAB_HD T effective_gradient(T x, T g, T decay, u32 flags) {
  if (flags & kMaximize) g = -g;
  if (flags & kWeightDecay) g = g + decay * x;
  return g;
}

}  // namespace optlab
