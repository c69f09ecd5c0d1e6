// The arrays of one call of optlab.ops: inputs are gated, outputs are gated or made, and no output may share memory
// with any other array.
#pragma once
#include <array>

#include "cpu/threads.hpp"
#include "gate.hpp"

namespace optlab {

using Given = const py::handle&;
using Shape = std::vector<py::ssize_t>;

/// An argument that is told by its name when it is refused.
struct Named {
  Given array;
  const char* name;
};

inline Shape shape_of(const py::array& array) {
  return {array.shape(), array.shape() + array.ndim()};
}

/// Calls body(R{}) with R float or double, as the dtype of `given` has it.
template <class Body>
py::object by_dtype(const py::handle& given, const char* name, Body body) {
  return float_kind(given, name) == 'f' ? body(float{}) : body(double{});
}

class Call {
 public:
  /// `out` is None, an array where there is one output, or a tuple of as many entries, each an array or None.
  Call(const py::handle& out, std::initializer_list<const char*> names) : names_(names), given_(out) {
    if (names_.size() == 1 || out.is_none()) return;
    if (!py::isinstance<py::tuple>(out) || py::len(out) != names_.size())
      throw py::type_error("out: expected a tuple of " + std::to_string(names_.size()) + " arrays (" + listed() + ")");
  }

  /// A gated input of this shape; negative extents accept anything.
  template <class R>
  const R* in(const py::handle& given, const char* name, const Shape& shape) {
    const py::array& array = gate<R>(given, name, Access::read);
    check_shape(array, name, shape);
    note(array, name);
    return pointer<R>(array);
  }

  /// The same, and nullptr for None.
  template <class R>
  const R* optional(const py::handle& given, const char* name, const Shape& shape) {
    return given.is_none() ? nullptr : in<R>(given, name, shape);
  }

  /// The next output: the caller's array, gated, or a fresh one that holds anything.
  template <class R>
  R* out(const Shape& shape) {
    const char* name = names_[made_.size()];
    const py::handle given = entry(made_.size());
    py::object array = given.is_none() ? py::object(py::array_t<R>(shape)) : py::reinterpret_borrow<py::object>(given);
    if (!given.is_none()) {
      const py::array& checked = gate<R>(array, name, Access::write);
      check_shape(checked, name, shape);
      note(checked, name, true);
    }
    made_.push_back(std::move(array));
    return pointer<R>(reinterpret_cast<const py::array&>(made_.back()));
  }

  /// The next output is not wanted: None stands for it.
  template <class R>
  R* no_out() {
    if (!entry(made_.size()).is_none())
      throw py::value_error(std::string(names_[made_.size()]) +
                            ": got an array, expected None, since it is not wanted");
    made_.push_back(py::none());
    return nullptr;
  }

  /// A matrix of this shape in any order, empty or not: its first element; `row` and `column` become its strides.
  template <class R>
  const R* matrix(const py::handle& given, const char* name, const Shape& shape, long long& row, long long& column) {
    const py::array& array = check_elements(given, name, py::detail::npy_format_descriptor<R>::value, dtype_name<R>());
    check_shape(array, name, shape);
    const auto size = static_cast<py::ssize_t>(sizeof(R));
    const py::ssize_t extent[] = {array.shape(0), array.shape(1)}, stride[] = {array.strides(0), array.strides(1)};
    const auto* low = static_cast<const char*>(array.data());
    const auto* high = low;
    for (int axis = 0; axis < 2; ++axis) {
      const py::ssize_t reach = (extent[axis] - 1) * stride[axis];
      (reach < 0 ? low : high) += extent[axis] > 0 ? reach : 0;
    }
    row = stride[0] / size;
    column = stride[1] / size;
    if (array.size() > 0) extents_[count_++] = {low, high + size, name, false};
    return pointer<R>(array);
  }

  /// An input that was gated elsewhere.
  void note(const py::array& array, const char* name, bool written = false) {
    const auto* begin = static_cast<const char*>(array.data());
    extents_[count_++] = {begin, begin + array.nbytes(), name, written};
  }

  /// To be called after the last array and before any memory is touched.
  void check() const {
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const Extent &a = extents_[i], &b = extents_[j];
        if ((a.written || b.written) && a.begin < b.end && b.begin < a.end)
          throw py::value_error(std::string(b.name) + " and " + a.name +
                                ": got overlapping memory, expected separate arrays");
      }
  }

  /// Checks that no output overlaps and calls work(threads) without the GIL.
  template <class Work>
  void run(int threads, Work work) const {
    check();
    const ReleasedGil free;
    const FloatEnvironment environment;
    work(threads);
  }

  /// The output, or the tuple of outputs.
  py::object result() const {
    if (made_.size() == 1) return made_[0];
    py::tuple all(made_.size());
    for (std::size_t i = 0; i < made_.size(); ++i) all[i] = made_[i];
    return std::move(all);
  }

 private:
  struct Extent {
    const char *begin, *end, *name;
    bool written;
  };
  py::handle entry(std::size_t k) const {
    if (given_.is_none() || names_.size() == 1) return given_;
    return PyTuple_GET_ITEM(given_.ptr(), static_cast<Py_ssize_t>(k));
  }
  std::string listed() const {
    std::string text;
    for (const char* name : names_) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
  }
  std::vector<const char*> names_;
  py::handle given_;
  std::vector<py::object> made_;
  std::array<Extent, 24> extents_{};
  std::size_t count_ = 0;
};

}  // namespace optlab
