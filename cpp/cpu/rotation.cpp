#include "rotation.hpp"

#include "noise.hpp"

namespace optlab {
namespace {

double dot(const double* a, const double* b, i64 n) {
  constexpr int lanes = kLanes<double>;
  double out;
  sum_terms<double, false>(&out, n, [=](i64 p) {
    const i64 used = std::min<i64>(lanes, n - p * lanes);
    return load_part(a + p * lanes, used) * load_part(b + p * lanes, used);
  });
  return out;
}

}  // namespace

void random_rotation(double* q, i64 dim, u64 seed) {
  for (i64 i = 0; i < dim; ++i) {
    double* row = q + i * dim;
    draw_row<double, Normal>(row, dim, static_cast<u32>(i), {seed, kInit, 0});
    for (int pass = 0; pass < 2; ++pass)  // the second pass takes off what rounding left of the first
      for (i64 j = 0; j < i; ++j) {
        const double along = dot(row, q + j * dim, dim);
        for (i64 k = 0; k < dim; ++k) row[k] -= along * q[j * dim + k];
      }
    const double length = sqrt<double>(dot(row, row, dim));
    for (i64 k = 0; k < dim; ++k) row[k] /= length;
  }
}

}  // namespace optlab
