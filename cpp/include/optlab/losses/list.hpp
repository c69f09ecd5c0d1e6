// THE list of element-wise losses: X(name, functor). A functor gives the value of one prediction p and target t, and
// its first and second derivative by p; each takes one option, which most of them leave aside.
#pragma once
#include "binary_cross_entropy.hpp"
#include "huber.hpp"
#include "kl_divergence.hpp"
#include "l1.hpp"
#include "mse.hpp"

#define OPTLAB_LOSSES(X)                      \
  X(mse, SquaredError)                        \
  X(l1, AbsoluteError)                        \
  X(huber, Huber)                             \
  X(binary_cross_entropy, BinaryCrossEntropy) \
  X(kl_divergence, KlDivergence)
