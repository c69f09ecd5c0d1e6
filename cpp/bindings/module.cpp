// The table of contents of the extension. It is compiled once per instruction set, as _cpu_v2, _cpu_v3, ...
#include "families.hpp"

namespace optlab {
extern const char* const kDigest;  // digest.cpp, which the build writes
}

#define OPTLAB_MODULE_NAMED(name, variable) PYBIND11_MODULE(name, variable)

OPTLAB_MODULE_NAMED(OPTLAB_MODULE, m) {
  m.attr("isa") = OPTLAB_ISA_NAME;
  m.attr("compiler") = OPTLAB_COMPILER;
  m.attr("flags") = OPTLAB_FLAGS;
  m.attr("digest") = optlab::kDigest;
  optlab::bind_gate(m);
  optlab::bind_random(m);
  optlab::bind_landscapes(m);
  optlab::bind_network(m);
  optlab::bind_updates(m);
  optlab::bind_study(m);
  optlab::bind_matmul(m);
  optlab::bind_norms(m);
  optlab::bind_activations(m);
  optlab::bind_linear(m);
  optlab::bind_linear_batch_norm(m);
  optlab::bind_losses(m);
  optlab::bind_softmax(m);
  optlab::bind_batch_norm(m);
}
