// THE list of update rules: X(name, functor, names of its state arrays, names of its hyperparameters in order).
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

namespace optlab {
// A comma inside a template would end a macro's argument.
using RmsPropPlain = RmsProp<false, false>;
using RmsPropMomentum = RmsProp<false, true>;
using RmsPropCentered = RmsProp<true, false>;
using RmsPropCenteredMomentum = RmsProp<true, true>;
}  // namespace optlab

#define OPTLAB_UPDATES(X)                                                                                \
  X(sgd, Sgd, "", "lr,momentum,dampening")                                                               \
  X(sgd_momentum, SgdMomentum, "momentum_buffer", "lr,momentum,dampening")                               \
  X(sgd_nesterov, SgdNesterov, "momentum_buffer", "lr,momentum,dampening")                               \
  X(heavy_ball, HeavyBall, "delta", "lr,momentum")                                                       \
  X(averaged_momentum, AveragedMomentum, "exp_avg", "lr,momentum")                                       \
  X(adagrad, Adagrad, "sum", "lr,lr_decay,eps")                                                          \
  X(adadelta, Adadelta, "square_avg,acc_delta", "lr,rho,eps")                                            \
  X(rmsprop, RmsPropPlain, "square_avg", "lr,alpha,eps,momentum")                                        \
  X(rmsprop_momentum, RmsPropMomentum, "square_avg,momentum_buffer", "lr,alpha,eps,momentum")            \
  X(rmsprop_centered, RmsPropCentered, "square_avg,grad_avg", "lr,alpha,eps,momentum")                   \
  X(rmsprop_centered_momentum, RmsPropCenteredMomentum, "square_avg,grad_avg,momentum_buffer",           \
    "lr,alpha,eps,momentum")                                                                             \
  X(adam, Adam<false>, "exp_avg,exp_avg_sq", "lr,beta1,beta2,eps,bias_correction")                       \
  X(adam_amsgrad, Adam<true>, "exp_avg,exp_avg_sq,max_exp_avg_sq", "lr,beta1,beta2,eps,bias_correction") \
  X(adamax, Adamax, "exp_avg,exp_inf", "lr,beta1,beta2,eps")                                             \
  X(nadam, NAdam, "exp_avg,exp_avg_sq", "lr,beta1,beta2,eps,momentum_decay")                             \
  X(sparse_adam, SparseAdam, "exp_avg,exp_avg_sq", "lr,beta1,beta2,eps")                                 \
  X(lars, Lars, "momentum_buffer", "lr,momentum,trust_coefficient,weight_decay,eps")                     \
  X(lamb, Lamb, "exp_avg,exp_avg_sq", "lr,beta1,beta2,eps,weight_decay")
