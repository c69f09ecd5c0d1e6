#include "cpu/linear_batch_norm.hpp"
#include "families.hpp"
#include "linear_call.hpp"
#include "running_arrays.hpp"

namespace optlab {

void bind_linear_batch_norm(py::module_& m) {
  m.def("linear_batch_norm_forward", [](Given x, Given weight, Given gamma, Given beta, Given eps, Given activation,
                                        Given parameter, Given dropout, Given running, Given momentum, Given out) {
    return by_dtype(x, "x", [&](auto zero) {
      using R = decltype(zero);
      Call call(out, {"y", "z", "mean", "rstd"});
      const LinearCall<R> pass(call, x, weight, activation, parameter, dropout);
      const Shape row = pass.bias_shape();
      const Transform<R> scale{call.optional<R>(gamma, "gamma", row), call.optional<R>(beta, "beta", row)};
      RunningArrays<R> averages(running, momentum, call, pass.shape.batch, pass.shape.out);
      const R small = static_cast<R>(eps_option(eps));
      R *y = call.out<R>(pass.y_shape()), *z = call.out<R>(pass.y_shape());
      R *mean = call.out<R>(row), *rstd = call.out<R>(row);
      call.run(threads_now(), [&](int threads) {
        linear_batch_norm(y, z, mean, rstd, averages.get(), pass.x, pass.weight, scale, small, pass.shape, pass.follow,
                          threads);
        averages.counted();
      });
      return call.result();
    });
  });
}

}  // namespace optlab
