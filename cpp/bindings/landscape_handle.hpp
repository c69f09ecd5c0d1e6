// A landscape as Python holds it; shared by the bindings that evaluate it and those that run studies on it.
#pragma once
#include "cpu/landscape.hpp"

namespace optlab {

template <class R>
struct LandscapeHandle {
  std::shared_ptr<const Landscape<R>> landscape;
};

}  // namespace optlab
