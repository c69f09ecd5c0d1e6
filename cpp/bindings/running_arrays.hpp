// The running averages of batch normalization, as Python gives them.
#pragma once
#include "call.hpp"
#include "cpu/batch_norm.hpp"
#include "options.hpp"

namespace optlab {

/// The caller's averages: (mean, var, count), or None.
template <class R>
class RunningArrays {
 public:
  RunningArrays(Given given, Given momentum, Call& call, py::ssize_t rows, py::ssize_t features)
      : present_(!given.is_none()) {
    if (!momentum.is_none()) number_option(momentum, "momentum", 0, 1, false, "number in [0, 1], or None");
    if (!present_) return;
    if (!py::isinstance<py::tuple>(given) || py::len(given) != 3)
      throw py::type_error("running: expected None or a tuple of 3 arrays (mean, var, count)");
    const auto entry = [&](int k) { return py::handle(PyTuple_GET_ITEM(given.ptr(), k)); };
    const py::handle counter = entry(2);
    averages_.mean = written(call, entry(0), "running mean", features);
    averages_.var = written(call, entry(1), "running var", features);
    const py::array& count = gate<std::int64_t>(counter, "running count", Access::write);
    check_shape(count, "running count", {});
    count_ = pointer<std::int64_t>(count);
    call.note(count, "running count", true);
    if (rows < 2)
      throw py::value_error(
          "x: got a batch of 1, expected at least 2: running var is an average of unbiased variances");
    if (*count_ < 0 || *count_ == INT64_MAX)
      throw py::value_error("running count: got " + std::to_string(*count_) + ", expected 0 <= count < 2**63 - 1");
    averages_.momentum = share(momentum);
  }
  const Running<R>* get() const { return present_ ? &averages_ : nullptr; }
  void counted() {
    if (present_) ++*count_;
  }

 private:
  static R* written(Call& call, Given given, const char* name, py::ssize_t features) {
    R* memory = gated<R>(given, name, {features}, Access::write);
    call.note(reinterpret_cast<const py::array&>(given), name, true);
    return memory;
  }
  R share(Given momentum) const {
    if (momentum.is_none()) return static_cast<R>(1.0 / (static_cast<double>(*count_) + 1.0));
    const double value = number_option(momentum, "momentum", 0, 1, false, "number in [0, 1], or None");
    return static_cast<R>(value);
  }
  bool present_;
  Running<R> averages_{};
  std::int64_t* count_ = nullptr;
};

}  // namespace optlab
