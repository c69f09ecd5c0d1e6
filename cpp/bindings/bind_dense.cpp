#include "call.hpp"
#include "families.hpp"

namespace optlab {

void bind_dense(py::module_&) {}

}  // namespace optlab
