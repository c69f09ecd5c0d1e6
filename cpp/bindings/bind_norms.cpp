#include "call.hpp"
#include "families.hpp"

namespace optlab {

void bind_norms(py::module_&) {}

}  // namespace optlab
