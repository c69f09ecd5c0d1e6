// THE list of activations: X(name, functor).
#pragma once
#include "elu.hpp"
#include "identity.hpp"
#include "leaky_relu.hpp"
#include "relu.hpp"
#include "sigmoid.hpp"
#include "tanh.hpp"

#define OPTLAB_ACTIVATIONS(X) \
  X(identity, Identity)       \
  X(sigmoid, Sigmoid)         \
  X(tanh, Tanh)               \
  X(relu, Relu)               \
  X(leaky_relu, LeakyRelu)    \
  X(elu, Elu)
