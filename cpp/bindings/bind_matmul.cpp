#include "call.hpp"
#include "cpu/gemm.hpp"
#include "families.hpp"

namespace optlab {
namespace {

template <class R>
py::object matmul_as(const py::handle& a, const py::handle& b, bool accumulate, const py::handle& out) {
  Call call(out, {"out"});
  Matrix<R> left, right;
  left.data = call.matrix<R>(a, "a", {-1, -1}, left.row, left.column);
  const auto& left_array = reinterpret_cast<const py::array&>(a);
  const ProductShape sizes{left_array.shape(0), 0, left_array.shape(1)};
  right.data = call.matrix<R>(b, "b", {sizes.k, -1}, right.row, right.column);
  const ProductShape shape{sizes.m, reinterpret_cast<const py::array&>(b).shape(1), sizes.k};
  if (accumulate && out.is_none()) throw py::value_error("out: got None, expected the array to which to add");
  R* c = call.out<R>({shape.m, shape.n});
  call.run(threads_now(),
           [&](int threads) { multiply<R>(c, shape.n, left, right, shape, accumulate, nullptr, threads); });
  return call.result();
}

}  // namespace

void bind_matmul(py::module_& m) {
  m.def("matmul", [](const py::handle& a, const py::handle& b, bool accumulate, const py::handle& out) {
    return by_dtype(a, "a", [&](auto zero) { return matmul_as<decltype(zero)>(a, b, accumulate, out); });
  });
}

}  // namespace optlab
