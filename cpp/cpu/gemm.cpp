#include "gemm.hpp"

#include "environment.hpp"
#include "gemm_pack.hpp"
#include "gemm_tile.hpp"
#include "parts.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

template <class R>
class Product {
 public:
  Product(R* c, i64 stride, Matrix<R> a, Matrix<R> b, ProductShape shape, bool add, const Epilogue<R>* epilogue)
      : c_(c), stride_(stride), a_(a), b_(b), shape_(shape), add_(add), epilogue_(epilogue) {}

  /// Computes all of a small c in this thread. Only what is not contiguous along rows of c is laid out anew.
  void whole() const {
    const FloatEnvironment environment;
    const i64 packs = parts_of(shape_.n, kLanes<R>), wide = packs * kLanes<R>;
    const R* right = b_.data;
    i64 step = b_.row;
    if (b_.column != 1 || wide != shape_.n) {
      static thread_local Scratch<R> room;
      R* laid_out = room.get(static_cast<std::size_t>(wide * shape_.k + kLanes<R>));
      pack_panel(laid_out, wide, right_strip({0, shape_.n}, {0, shape_.k}), shape_.k);
      right = laid_out, step = wide;
    }
    const i64 high = even_step(shape_.m, kTileRows);
    for (i64 pack = 0; pack < packs; pack += kTilePacks) {
      const i64 across = std::min<i64>(kTilePacks, packs - pack), column = pack * kLanes<R>;
      for (i64 row = 0; row < shape_.m; row += high) {
        const Tile<R> tile{at(row, column), stride_, std::min(shape_.n - column, across * kLanes<R>), add_};
        kTiles<R>.standing[across - 1][std::min(high, shape_.m - row) - 1](
            tile, {a_.data + row * a_.row, a_.row, a_.column, right + column, step}, shape_.k);
      }
    }
    if (epilogue_) epilogue_->apply(c_, stride_, 0, shape_.m, 0, shape_.n);
  }

  /// Computes a rectangle of c in this thread.
  void rectangle(Range rows, Range columns) const {
    const i64 depth = part(shape_.k, parts_of(shape_.k, kBlockK), 0).size();
    static thread_local Scratch<R> left_room, right_room;
    R* left = left_room.get(static_cast<std::size_t>(std::min(rows.size(), kBlockRows) * depth + kLanes<R>));
    R* panel = right_room.get(static_cast<std::size_t>(2 * kWidth * depth + kLanes<R>));
    R* right[2] = {panel, panel + kWidth * depth};
    for (i64 row = rows.begin; row < rows.end; row += kBlockRows)
      row_block({row, std::min(rows.end, row + kBlockRows)}, columns, left, right);
  }

 private:
  static constexpr i64 kWidth = kTilePacks * kLanes<R>;

  void row_block(Range rows, Range columns, R* left, R* right[2]) const {
    const i64 blocks = parts_of(shape_.k, kBlockK);
    for (i64 block = 0; block < blocks; ++block) {
      const Range k = part(shape_.k, blocks, block);
      pack_left(left, rows, k);
      const i64 packs = parts_of(columns.size(), kLanes<R>), panels = parts_of(packs, kTilePacks);
      Range panel = columns_of(columns, part(packs, panels, 0));
      pack_panel(right[0], width_of(panel), right_strip(panel, k), k.size());
      for (i64 p = 0; p < panels; ++p) {
        const Range next = p + 1 < panels ? columns_of(columns, part(packs, panels, p + 1)) : Range{};
        column_panel(rows, panel, next, k, left, right[p % 2], right[1 - p % 2], add_ || block > 0);
        if (epilogue_ && block == blocks - 1)
          epilogue_->apply(at(rows.begin, panel.begin), stride_, rows.begin, rows.size(), panel.begin, panel.size());
        panel = next;
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

  /// The panel's part of c. While a tile is computed, that piece of the next panel is fetched that is packed after it.
  void column_panel(Range rows, Range columns, Range next, Range k, const R* left, const R* right, R* right_next,
                    bool add) const {
    const i64 packs = parts_of(columns.size(), kLanes<R>), panels = parts_of(rows.size(), kTileRows);
    const Strip<R> strip = right_strip(next, k);
    for (i64 p = 0; p < panels; ++p) {
      const Range of = part(rows.size(), panels, p), piece = piece_of(k.size(), next.size() ? panels : 0, p);
      const Tile<R> tile{at(rows.begin + of.begin, columns.begin), stride_, columns.size(), add};
      const Strip<R> wanted = strip.from(piece.begin);
      kTiles<R>.kernel[packs - 1][of.size() - 1](tile, left + of.begin * k.size(), right, k.size(),
                                                 lines_of(wanted, piece.size()));
      pack_panel(right_next + piece.begin * width_of(next), width_of(next), wanted, piece.size());
    }
  }

  /// A part of k that begins on a whole group of steps.
  static Range piece_of(i64 k, i64 pieces, i64 number) {
    if (pieces == 0) return {0, 0};
    const Range of = part(parts_of(k, kStride), pieces, number);
    return {std::min(k, of.begin * kStride), std::min(k, of.end * kStride)};
  }

  static i64 width_of(Range columns) { return parts_of(columns.size(), kLanes<R>) * kLanes<R>; }

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

/// Below so many products, of operands that the first-level cache holds, packing costs more than it brings.
constexpr i64 kWorthPacking = 1 << 16, kFitsCache = 1 << 13;

}  // namespace

template <class R>
void multiply(R* c, i64 stride, Matrix<R> a, Matrix<R> b, ProductShape shape, bool add, const Epilogue<R>* epilogue,
              int threads) {
  if (shape.m == 0 || shape.n == 0) return;
  if (shape.k == 0) return nothing_to_sum(c, stride, shape, add, epilogue);
  const Product<R> product(c, stride, a, b, shape, add, epilogue);
  if (shape.m * shape.n * shape.k <= kWorthPacking && (shape.m + shape.n) * shape.k <= kFitsCache && shape.k <= kBlockK)
    return product.whole();
  const i64 packs = parts_of(shape.n, kLanes<R>);
  threads = worthwhile(threads, shape.m * shape.n * shape.k, kProductsEach);
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
