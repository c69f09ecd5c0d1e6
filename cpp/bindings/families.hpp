// What module.cpp puts together: one function per family of bindings.
#pragma once
#include <pybind11/pybind11.h>

namespace optlab {

void bind_gate(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_landscapes(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_updates(pybind11::module_& m);
void bind_study(pybind11::module_& m);
void bind_matmul(pybind11::module_& m);
void bind_norms(pybind11::module_& m);
void bind_activations(pybind11::module_& m);
void bind_linear(pybind11::module_& m);
void bind_linear_batch_norm(pybind11::module_& m);
void bind_losses(pybind11::module_& m);
void bind_softmax(pybind11::module_& m);
void bind_batch_norm(pybind11::module_& m);

}  // namespace optlab
