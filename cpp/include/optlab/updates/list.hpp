// THE list of update rules: X(name, functor). A functor names its states and hyperparameters, in their order.
#pragma once
#include "adadelta.hpp"
#include "adagrad.hpp"
#include "adam.hpp"
#include "adamax.hpp"
#include "averaged_momentum.hpp"
#include "heavy_ball.hpp"
#include "lamb.hpp"
#include "lars.hpp"
#include "nadam.hpp"
#include "rmsprop.hpp"
#include "sgd.hpp"
#include "sparse_adam.hpp"

#define OPTLAB_UPDATES(X)                           \
  X(sgd, Sgd)                                       \
  X(sgd_momentum, SgdMomentum)                      \
  X(sgd_nesterov, SgdNesterov)                      \
  X(heavy_ball, HeavyBall)                          \
  X(averaged_momentum, AveragedMomentum)            \
  X(adagrad, Adagrad)                               \
  X(adadelta, Adadelta)                             \
  X(rmsprop, RmsProp<false, false>)                 \
  X(rmsprop_momentum, RmsProp<false, true>)         \
  X(rmsprop_centered, RmsProp<true, false>)         \
  X(rmsprop_centered_momentum, RmsProp<true, true>) \
  X(adam, Adam<false>)                              \
  X(adam_amsgrad, Adam<true>)                       \
  X(adamax, Adamax)                                 \
  X(nadam, NAdam)                                   \
  X(sparse_adam, SparseAdam)                        \
  X(lars, Lars)                                     \
  X(lamb, Lamb)
