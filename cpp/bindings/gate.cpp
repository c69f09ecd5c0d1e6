#include "gate.hpp"

namespace optlab {
namespace {

constexpr int kAligned = 0x0100;

std::string type_name(const py::handle& given) {
  return py::cast<std::string>(py::type::handle_of(given).attr("__module__")) + "." +
         py::cast<std::string>(py::type::handle_of(given).attr("__qualname__"));
}

[[noreturn]] void refuse_type(const std::string& text) {
  throw py::type_error(text);
}
[[noreturn]] void refuse_value(const std::string& text) {
  throw py::value_error(text);
}

void check_is_array(const py::handle& given, const char* name, const std::string& dtype) {
  if (py::isinstance<py::array>(given)) return;
  refuse_type(std::string(name) + ": got " + type_name(given) + ", expected a numpy.ndarray of " + dtype);
}

/// C has two names for 64-bit integers, and NumPy a number for each.
bool same_type(const py::array& array, int number) {
  const py::dtype given = array.dtype(), wanted(number);
  return given.kind() == wanted.kind() && given.itemsize() == wanted.itemsize();
}

std::string dtype_text(const py::array& array) {
  return py::cast<std::string>(py::str(array.dtype()));
}

}  // namespace

std::string shape_text(const std::vector<py::ssize_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
  return text + (shape.size() == 1 ? ",)" : ")");
}

const py::array& check_elements(const py::handle& given, const char* name, int number, const char* dtype) {
  check_is_array(given, name, dtype);
  const auto& array = reinterpret_cast<const py::array&>(given);
  const auto* proxy = py::detail::array_proxy(given.ptr());
  const auto* descriptor = py::detail::array_descriptor_proxy(proxy->descr);
  if ((descriptor->type_num != number && !same_type(array, number)) || descriptor->byteorder == '>')
    refuse_type(std::string(name) + ": got dtype " + dtype_text(array) + ", expected " + dtype);
  if (!(proxy->flags & kAligned))
    refuse_value(std::string(name) + ": got misaligned memory, expected aligned elements");
  return array;
}

const py::array& check_array(const py::handle& given, const char* name, int number, const char* dtype, Access access) {
  const py::array& array = check_elements(given, name, number, dtype);
  const auto* proxy = py::detail::array_proxy(given.ptr());
  if (!(proxy->flags & py::array::c_style))
    refuse_value(std::string(name) +
                 ": got a strided array, expected C-contiguous memory (numpy.ascontiguousarray makes a copy)");
  if (access == Access::write && !(proxy->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_))
    refuse_value(std::string(name) + ": got a read-only array, expected a writeable one (it is updated in place)");
  for (int i = 0; i < proxy->nd; ++i)
    if (proxy->dimensions[i] == 0)
      refuse_value(std::string(name) + ": got an empty array of shape " +
                   shape_text({proxy->dimensions, proxy->dimensions + proxy->nd}) + ", expected at least one element");
  return array;
}

void check_shape(const py::array& array, const char* name, const std::vector<py::ssize_t>& shape) {
  bool same = array.ndim() == static_cast<py::ssize_t>(shape.size());
  for (std::size_t i = 0; same && i < shape.size(); ++i)
    same = shape[i] < 0 || shape[i] == array.shape(static_cast<py::ssize_t>(i));
  if (same) return;
  refuse_value(std::string(name) + ": got shape " + shape_text({array.shape(), array.shape() + array.ndim()}) +
               ", expected " + shape_text(shape));
}

void check_apart(const py::array& a, const char* a_name, const py::array& b, const char* b_name) {
  const auto* a_begin = static_cast<const char*>(a.data());
  const auto* b_begin = static_cast<const char*>(b.data());
  if (a_begin + a.nbytes() <= b_begin || b_begin + b.nbytes() <= a_begin) return;
  refuse_value(std::string(a_name) + " and " + b_name + ": got overlapping memory, expected separate arrays");
}

char float_kind(const py::handle& given, const char* name) {
  check_is_array(given, name, "float32 or float64");
  const auto array = py::reinterpret_borrow<py::array>(given);
  const int number = array.dtype().num();
  if (number == py::detail::npy_format_descriptor<float>::value) return 'f';
  if (number == py::detail::npy_format_descriptor<double>::value) return 'd';
  refuse_type(std::string(name) + ": got dtype " + dtype_text(array) + ", expected float32 or float64");
}

Rows rows_of(const py::array& array, const char* name) {
  if (array.ndim() == 1) return {1, array.shape(0)};
  if (array.ndim() == 2) return {array.shape(0), array.shape(1)};
  refuse_value(std::string(name) + ": got " + std::to_string(array.ndim()) +
               " dimensions, expected (dim,) or (runs, dim)");
}

}  // namespace optlab
