// THE list of update rules: X(name, functor, names of its state arrays, names of its hyperparameters in order).
#pragma once
#include "heavy_ball.hpp"
#include "sgd.hpp"

#define OPTLAB_UPDATES(X)                                                        \
  X(sgd, Sgd, "", "lr,momentum,dampening,weight_decay")                          \
  X(sgd_momentum, SgdMomentum, "momentum", "lr,momentum,dampening,weight_decay") \
  X(sgd_nesterov, SgdNesterov, "momentum", "lr,momentum,dampening,weight_decay") \
  X(heavy_ball, HeavyBall, "delta", "lr,momentum,weight_decay")
