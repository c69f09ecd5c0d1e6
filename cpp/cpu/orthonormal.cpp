#include "orthonormal.hpp"

#include <algorithm>
#include <memory>

#include "environment.hpp"
#include "sums.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

constexpr i64 kBlock = 32;        // rows that threads share out while those above are final
constexpr i64 kTile = 64 * 1024;  // bytes of final rows that stay in the cache while a block passes over them

/// The rows in whole packs, zeros behind the last column.
class RowPacks {
 public:
  RowPacks(i64 rows, i64 columns)
      : columns_(columns),
        packs_((columns + kLanes<double> - 1) / kLanes<double>),
        all_(new PackD[static_cast<std::size_t>(rows * packs_)]()) {}
  PackD* operator[](i64 i) const { return all_.get() + i * packs_; }
  i64 packs() const { return packs_; }
  i64 columns() const { return columns_; }

 private:
  i64 columns_, packs_;
  std::unique_ptr<PackD[]> all_;
};

double dot(const PackD* a, const PackD* b, i64 columns) {
  double out;
  sum_terms<double, false>(&out, columns, [=](i64 p) { return a[p] * b[p]; });
  return out;
}

/// row -= along * q, and the product of what is left with `next`, in one sweep.
double subtract_and_dot(PackD* row, double along, const PackD* q, const PackD* next, i64 columns) {
  double out;
  sum_terms<double, false>(&out, columns, [=](i64 p) {
    row[p] = row[p] - along * q[p];
    return row[p] * next[p];
  });
  return out;
}

/// Takes off row i what lies along the final rows [first, last), one after another.
void project(const RowPacks& q, i64 i, i64 first, i64 last) {
  if (first >= last) return;
  PackD* row = q[i];
  double along = dot(row, q[first], q.columns());
  for (i64 j = first; j + 1 < last; ++j) along = subtract_and_dot(row, along, q[j], q[j + 1], q.columns());
  for (i64 p = 0; p < q.packs(); ++p) row[p] = row[p] - along * q[last - 1][p];
}

void normalize(const RowPacks& q, i64 i) {
  const double length = sqrt<double>(dot(q[i], q[i], q.columns()));
  for (i64 p = 0; p < q.packs(); ++p) q[i][p] = q[i][p] / length;
}

/// The first pass of rows [begin, end) over the final rows [0, last).
void first_pass(const RowPacks& q, i64 begin, i64 end, i64 last) {
  const FloatEnvironment environment;
  const i64 tile = std::max<i64>(1, kTile / (q.packs() * static_cast<i64>(sizeof(PackD))));
  for (i64 first = 0; first < last; first += tile)
    for (i64 i = begin; i < end; ++i) project(q, i, first, std::min(first + tile, last));
}

}  // namespace

void orthonormalize_rows(double* to, i64 rows, i64 columns, int threads) {
  const auto bytes = static_cast<std::size_t>(columns) * sizeof(double);
  const RowPacks q(rows, columns);
  for (i64 i = 0; i < rows; ++i) std::memcpy(static_cast<void*>(q[i]), to + i * columns, bytes);
  for (i64 block = 0; block < rows; block += kBlock) {
    const i64 end = std::min(block + kBlock, rows);
    parallel(end - block, worthwhile(threads, (end - block) * block * columns, kProductsEach),
             [&](i64 from, i64 upto) { first_pass(q, block + from, block + upto, block); });
    for (i64 i = block; i < end; ++i) {
      project(q, i, block, i);
      project(q, i, 0, i);  // the second pass takes off what rounding left of the first
      normalize(q, i);
    }
  }
  for (i64 i = 0; i < rows; ++i) std::memcpy(to + i * columns, q[i], bytes);
}

}  // namespace optlab
