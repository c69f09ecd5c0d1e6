#include "call.hpp"
#include "families.hpp"

namespace optlab {

void bind_matmul(py::module_&) {}

}  // namespace optlab
