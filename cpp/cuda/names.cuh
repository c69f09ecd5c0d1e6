// The lists by the names that Python knows: rules::adam, landscapes::rosenbrock, activations::relu, losses::mse.
#pragma once
#include "optlab/activations/list.hpp"
#include "optlab/landscapes/list.hpp"
#include "optlab/losses/list.hpp"
#include "optlab/updates/list.hpp"

namespace optlab {

#define OPTLAB_NAMED(name, ...) using name = ::optlab::__VA_ARGS__;
namespace rules {
OPTLAB_UPDATES(OPTLAB_NAMED)
}
namespace landscapes {
OPTLAB_SEPARABLE_LANDSCAPES(OPTLAB_NAMED)
OPTLAB_COUPLED_LANDSCAPES(OPTLAB_NAMED)
OPTLAB_MATRIX_LANDSCAPES(OPTLAB_NAMED)
}  // namespace landscapes
namespace activations {
OPTLAB_ACTIVATIONS(OPTLAB_NAMED)
}
namespace losses {
OPTLAB_LOSSES(OPTLAB_NAMED)
}
#undef OPTLAB_NAMED

}  // namespace optlab
