// Our own matrix product: packed, blocked, split over rows and columns.
#pragma once
#include <algorithm>

#include "pack.hpp"

namespace optlab {

/// A matrix that is read: element (i, j) stands at data[i * row + j * column].
template <class R>
struct Matrix {
  const R* data;
  i64 row, column;
  Matrix turned() const { return {data, column, row}; }
};

/// What is done to a finished part of the product while it is in the cache.
template <class R>
class Epilogue {
 public:
  virtual ~Epilogue() = default;
  /// `c` is element (row, column) of the product, of which `rows` by `columns` are finished. Parts are called in any
  /// order by any thread, but for one column the rows come in rising order where whole_columns() is true.
  virtual void apply(R* c, i64 stride, i64 row, i64 rows, i64 column, i64 columns) const = 0;
  virtual bool whole_columns() const { return false; }
};

/// Sums over k are taken in blocks of this length, each in rising k by fused multiply-adds, and the blocks are added in
/// rising order: the bits depend on neither threads nor tiles. (The blocks of a length are as even as can be.)
inline constexpr i64 kBlockK = 512;
/// Rows of a block: its packed part of A stays in the second-level cache.
inline constexpr i64 kBlockRows = 512;

struct ProductShape {
  i64 m, n, k;
};

/// c (m, n), its rows `stride` apart, becomes a (m, k) times b (k, n), or is added to it.
template <class R>
void multiply(R* c, i64 stride, Matrix<R> a, Matrix<R> b, ProductShape shape, bool add, const Epilogue<R>* epilogue,
              int threads);

}  // namespace optlab
