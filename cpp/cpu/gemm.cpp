#include "gemm.hpp"

#include "environment.hpp"
#include "gemm_pack.hpp"
#include "gemm_tile.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

struct Range {
  i64 begin, end;
  i64 size() const { return end - begin; }
};

i64 parts_of(i64 length, i64 most) {
  return (length + most - 1) / most;
}

/// Part `number` of so many, as even as can be.
Range part(i64 length, i64 parts, i64 number) {
  const i64 small = length / parts, rest = length % parts;
  const i64 begin = number * small + std::min(number, rest);
  return {begin, begin + small + (number < rest)};
}

template <class R>
class Product {
 public:
  Product(R* c, i64 stride, Matrix<R> a, Matrix<R> b, ProductShape shape, bool add, const Epilogue<R>* epilogue)
      : c_(c), stride_(stride), a_(a), b_(b), shape_(shape), add_(add), epilogue_(epilogue) {}

  /// Computes a rectangle of c in this thread.
  void rectangle(Range rows, Range columns) const {
    const i64 depth = part(shape_.k, parts_of(shape_.k, kBlockK), 0).size();
    static thread_local Scratch<R> left_room, right_room;
    R* left = left_room.get(static_cast<std::size_t>(std::min(rows.size(), kBlockRows) * depth + kLanes<R>));
    R* right = right_room.get(static_cast<std::size_t>(kWidth * depth + kLanes<R>));
    for (i64 row = rows.begin; row < rows.end; row += kBlockRows)
      row_block({row, std::min(rows.end, row + kBlockRows)}, columns, left, right);
  }

 private:
  static constexpr i64 kWidth = kTilePacks * kLanes<R>;
  /// Rows that are farther apart than a page cost the arithmetic more than a loop of its own that packs them.
  static constexpr i64 kNear = 4096 / sizeof(R);

  void row_block(Range rows, Range columns, R* left, R* right) const {
    const i64 blocks = parts_of(shape_.k, kBlockK);
    for (i64 block = 0; block < blocks; ++block) {
      const Range k = part(shape_.k, blocks, block);
      pack_left(left, rows, k);
      const i64 packs = parts_of(columns.size(), kLanes<R>), panels = parts_of(packs, kTilePacks);
      for (i64 p = 0; p < panels; ++p) {
        const Range panel = columns_of(columns, part(packs, panels, p));
        const Range next = p + 1 < panels ? columns_of(columns, part(packs, panels, p + 1)) : Range{};
        column_panel(rows, panel, next, k, left, right, add_ || block > 0);
        if (epilogue_ && block == blocks - 1)
          epilogue_->apply(at(rows.begin, panel.begin), stride_, rows.begin, rows.size(), panel.begin, panel.size());
      }
    }
  }

  static Range columns_of(Range all, Range packs) {
    return {all.begin + packs.begin * kLanes<R>, std::min(all.end, all.begin + packs.end * kLanes<R>)};
  }

  void pack_left(R* left, Range rows, Range k) const {
    const i64 panels = parts_of(rows.size(), kTileRows);
    for (i64 p = 0; p < panels; ++p) {
      const Range of = part(rows.size(), panels, p);
      const Strip<R> strip{a_.data + (rows.begin + of.begin) * a_.row + k.begin * a_.column, a_.row, a_.column,
                           of.size(), shape_.m - rows.begin - of.begin};
      pack_panel(left + of.begin * k.size(), of.size(), strip, k.size());
    }
  }

  /// The panel's part of c; on the way the next panel is fetched into the cache.
  void column_panel(Range rows, Range columns, Range next, Range k, const R* left, R* right, bool add) const {
    const Strip<R> strip = right_strip(columns, k);
    const i64 packs = parts_of(columns.size(), kLanes<R>), panels = parts_of(rows.size(), kTileRows);
    const bool pack_first = strip.across == 1 && strip.valid == packs * kLanes<R> && strip.along <= kNear;
    if (!pack_first) pack_panel(right, packs * kLanes<R>, strip, k.size());
    for (i64 p = 0; p < panels; ++p) {
      const Range of = part(rows.size(), panels, p);
      const Tile<R> tile{at(rows.begin + of.begin, columns.begin), stride_, columns.size(), add};
      const R* a = left + of.begin * k.size();
      if (pack_first && p == 0)
        kTiles<R>.packing[packs - 1][of.size() - 1](tile, a, strip.data, strip.along, right, k.size());
      else
        kTiles<R>.plain[packs - 1][of.size() - 1](tile, a, right, k.size());
      fetch_strip(right_strip(next, k), k.size(), panels, p);
    }
  }

  Strip<R> right_strip(Range columns, Range k) const {
    return {b_.data + columns.begin * b_.column + k.begin * b_.row, b_.column, b_.row, columns.size(),
            shape_.n - columns.begin};
  }

  R* at(i64 row, i64 column) const { return c_ + row * stride_ + column; }

  R* c_;
  i64 stride_;
  Matrix<R> a_, b_;
  ProductShape shape_;
  bool add_;
  const Epilogue<R>* epilogue_;
};

/// How many threads share the rows; the others share the columns.
struct Grid {
  i64 down, across;
};

/// The grid with the least work for the busiest thread: its products, and what it packs for them.
Grid best_grid(ProductShape shape, i64 width, i64 threads, bool whole_columns) {
  constexpr i64 packing = 8;  // packing a number costs about as much as so many products
  Grid best{1, threads};
  i64 least = -1;
  for (i64 down = 1; down <= (whole_columns ? 1 : threads); ++down) {
    const i64 across = threads / down, rows = parts_of(shape.m, down);
    const i64 columns = parts_of(parts_of(shape.n, width), across) * width;
    const i64 work = rows * columns + packing * (rows + columns * parts_of(rows, kBlockRows));
    if (least < 0 || work < least) {
      least = work;
      best = {down, across};
    }
  }
  return best;
}

template <class R>
void nothing_to_sum(R* c, i64 stride, ProductShape shape, bool add, const Epilogue<R>* epilogue) {
  const FloatEnvironment environment;
  if (!add)
    for (i64 i = 0; i < shape.m; ++i) std::fill_n(c + i * stride, shape.n, R(0));
  if (epilogue) epilogue->apply(c, stride, 0, shape.m, 0, shape.n);
}

/// Below so many products a second thread costs more than it brings.
constexpr i64 kWorthSharing = 1 << 18;

}  // namespace

template <class R>
void multiply(R* c, i64 stride, Matrix<R> a, Matrix<R> b, ProductShape shape, bool add, const Epilogue<R>* epilogue,
              int threads) {
  if (shape.m == 0 || shape.n == 0) return;
  if (shape.k == 0) return nothing_to_sum(c, stride, shape, add, epilogue);
  const Product<R> product(c, stride, a, b, shape, add, epilogue);
  const i64 packs = parts_of(shape.n, kLanes<R>);
  if (shape.m * shape.n * shape.k < kWorthSharing) threads = 1;
  const Grid grid = best_grid(shape, kLanes<R>, threads, epilogue && epilogue->whole_columns());
  parallel(grid.down * grid.across, threads, [&](i64 begin, i64 end) {
    for (i64 task = begin; task < end; ++task) {
      const Range columns = part(packs, grid.across, task % grid.across);
      const Range all{columns.begin * kLanes<R>, std::min(shape.n, columns.end * kLanes<R>)};
      if (all.size() > 0) product.rectangle(part(shape.m, grid.down, task / grid.across), all);
    }
  });
}

template void multiply(float*, i64, Matrix<float>, Matrix<float>, ProductShape, bool, const Epilogue<float>*, int);
template void multiply(double*, i64, Matrix<double>, Matrix<double>, ProductShape, bool, const Epilogue<double>*, int);

}  // namespace optlab
