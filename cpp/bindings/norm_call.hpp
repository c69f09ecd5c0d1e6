// What the calls of the normalizations are checked for. All bindings are compiled as one file: these names are this
// family's own.
#pragma once
#include <deque>

#include "call.hpp"
#include "cpu/group_norm.hpp"
#include "options.hpp"

namespace optlab::norms {

enum class Kind { layer, group, instance };

inline i64 checked_groups(Given given, i64 channels) {
  const i64 groups = static_cast<i64>(whole_option(given, "groups", 1, static_cast<u64>(std::max<i64>(channels, 1))));
  if (channels % groups)
    throw py::value_error("groups: got " + repr_of(given) + ", expected a whole number that divides the " +
                          std::to_string(channels) + " channels");
  return groups;
}

/// The groups that the statistics of a forward pass have.
inline i64 groups_of(Given mean, py::ssize_t batch, i64 channels) {
  if (!py::isinstance<py::array>(mean)) return 1;  // refused when it is gated
  const auto given = py::reinterpret_borrow<py::array>(mean);
  const i64 groups = given.ndim() == 2 ? given.shape(1) : 1;
  if (groups < 1 || channels % groups)
    throw py::value_error("mean: got shape " + shape_text(shape_of(given)) + ", expected (" + std::to_string(batch) +
                          ", groups) with groups that divide the " + std::to_string(channels) + " channels");
  return groups;
}

/// What the shape of x says to one of the three kinds.
struct Layout {
  Shape x, statistics;
  NormShape norm;
  Shape channels() const { return {static_cast<py::ssize_t>(norm.groups * norm.channels)}; }
};

inline void check_rank(Kind kind, const py::array& x) {
  const py::ssize_t least = kind == Kind::instance ? 3 : 2, most = kind == Kind::layer ? 2 : x.ndim();
  if (x.ndim() >= least && x.ndim() <= most) return;
  const char* expected = kind == Kind::layer   ? "(rows, features)"
                         : kind == Kind::group ? "(batch, channels, positions...)"
                                               : "(batch, channels, positions...) with at least one axis of positions";
  throw py::value_error("x: got shape " + shape_text(shape_of(x)) + ", expected " + expected);
}

/// Group normalization is told its groups by the forward call; without a handle they are those of the mean.
inline Layout layout_of(Kind kind, Given x, Given groups, Given mean) {
  const auto array = py::reinterpret_borrow<py::array>(x);
  check_rank(kind, array);
  const py::ssize_t batch = array.shape(0), all = array.shape(1);
  if (kind == Kind::layer) return {shape_of(array), {batch}, {batch, 1, all, 1}};
  i64 count = all;
  if (kind == Kind::group) count = groups ? checked_groups(groups, all) : groups_of(mean, batch, all);
  const i64 positions = array.size() / std::max<py::ssize_t>(batch * all, 1);
  return {shape_of(array), {batch, count}, {batch, count, all / std::max<i64>(count, 1), positions}};
}

/// The call's arrays in memory. What may be missing is made of one number: gamma of ones, rates of zeros.
template <class R>
class Arrays : public Call {
 public:
  using Call::Call;
  const R* filled(Given given, const char* name, const Shape& shape, R instead) {
    const R* array = optional<R>(given, name, shape);
    return array ? array : made_.emplace_back(static_cast<std::size_t>(shape[0]), instead).data();
  }
  WithRate<R> with_rate(Given value, const char* name, Given rate, const char* rate_name, const Shape& shape) {
    const R* v = in<R>(value, name, shape);
    return {v, in<R>(rate, rate_name, shape)};
  }
  WithRate<R> parameter(Given value, Given rate, const char* name, const char* rate_name, const Shape& shape) {
    const R* v = filled(value, name, shape, R(1));
    return {v, filled(rate, rate_name, shape, R(0))};
  }

 private:
  std::deque<std::vector<R>> made_;
};

}  // namespace optlab::norms
