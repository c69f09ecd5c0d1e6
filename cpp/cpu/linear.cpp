#include "linear.hpp"

#include "gemm.hpp"
#include "parts.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

template <class R>
Matrix<R> rows(const R* data, i64 length) {
  return {data, length, 1};
}

/// Adds a bias to finished rows of a product and lets `span(row, first element, n)` follow.
template <class R, class Span>
class RowEpilogue : public Epilogue<R> {
 public:
  RowEpilogue(const R* bias, i64 width, Span span) : bias_(bias), width_(width), span_(span) {}
  void apply(R* c, i64 stride, i64 row, i64 rows, i64 column, i64 columns) const override {
    const bool whole = columns == width_ && stride == width_;  // then rows follow each other without a gap
    for (i64 i = 0; i < rows; ++i) {
      R* at = c + i * stride;
      if (bias_) for_packs<R>(columns, [&](i64, auto in, auto out) { out(at, in(at) + in(bias_ + column)); });
      if (!whole) spans(at, (row + i) * width_ + column, columns);
    }
    if (whole) spans(c, row * width_, rows * width_);
  }

 private:
  void spans(R* at, i64 first, i64 n) const {
    for (i64 j = 0; j < n; j += Follow<R>::kSpan) span_(at + j, first + j, std::min(Follow<R>::kSpan, n - j));
  }

  const R* bias_;
  i64 width_;
  Span span_;
};

/// Adds the sums of n columns over some rows, a column in each lane.
template <class R>
void add_columns(CarriedTotal<Pack<R>>* total, const R* dz, i64 stride, Range rows, i64 n) {
  for_packs<R>(n, [=](i64 c, auto in, auto) {
    Pack<R> part{};
    for (i64 i = rows.begin; i < rows.end; ++i) part = part + in(dz + i * stride);
    total[c / kLanes<R>].add(part);
  });
}

/// Calls span(first element, n) for all of (batch, out), and sums the columns of dz that it wrote, if sums are wanted:
/// rows in rising order, by blocks whose sums are added with the rounding error carried along.
template <class R, class Span>
void spans_and_column_sums(R* sums, const R* dz, LinearShape shape, int threads, Span span) {
  constexpr i64 width = Follow<R>::kSpan;
  parallel((shape.out + width - 1) / width, worthwhile(threads, shape.batch * shape.out), [&](i64 begin, i64 end) {
    for (i64 j = begin * width; j < std::min(shape.out, end * width); j += width) {
      const i64 n = std::min(width, shape.out - j);
      CarriedTotal<Pack<R>> total[width / kLanes<R>];
      for (i64 first = 0; first < shape.batch; first += kBiasBlock) {
        const i64 last = std::min(shape.batch, first + kBiasBlock);
        if (n == shape.out)  // then rows follow each other without a gap
          for (i64 at = first * n; at < last * n; at += width) span(at, std::min(width, last * n - at));
        else
          for (i64 i = first; i < last; ++i) span(i * shape.out + j, n);
        if (sums) add_columns(total, dz + j, shape.out, {first, last}, n);
      }
      if (sums) for_packs<R>(n, [&](i64 c, auto, auto out) { out(sums + j, total[c / kLanes<R>].result()); });
    }
  });
}

template <class R>
R* room_for(LinearShape shape, int copies) {
  static thread_local Scratch<R> room;
  return room.get(static_cast<std::size_t>(copies * shape.batch * shape.out));
}

/// dx (+)= dz W and dW (+)= dz' x.
template <class R>
void products(R* dx, R* dweight, const R* dz, const R* x, const R* weight, LinearShape s, bool add, int threads) {
  if (dx) multiply<R>(dx, s.in, rows(dz, s.out), rows(weight, s.in), {s.batch, s.in, s.out}, add, nullptr, threads);
  if (dweight)
    multiply<R>(dweight, s.in, rows(dz, s.out).turned(), rows(x, s.in), {s.out, s.in, s.batch}, add, nullptr, threads);
}

}  // namespace

template <class R>
void linear_forward(R* y, const R* x, const R* weight, const R* bias, LinearShape s, const Follow<R>& follow,
                    int threads) {
  const auto span = [&](R* at, i64 first, i64 n) { follow.forward(at, first, n); };
  const RowEpilogue<R, decltype(span)> epilogue(bias, s.out, span);
  const bool plain = !bias && follow.is_identity();
  multiply<R>(y, s.out, rows(x, s.in), rows(weight, s.in).turned(), {s.batch, s.out, s.in}, false,
              plain ? nullptr : &epilogue, threads);
}

template <class R>
void linear_backward(R* dx, R* dweight, R* dbias, const R* dy, const R* x, const R* weight, const R* y, LinearShape s,
                     const Follow<R>& follow, int threads) {
  const R* dz = dy;
  if (follow.is_identity()) {
    if (dbias) spans_and_column_sums(dbias, dz, s, threads, [](i64, i64) {});
  } else {
    R* room = room_for<R>(s, 1);
    dz = room;
    spans_and_column_sums(dbias, dz, s, threads,
                          [=](i64 at, i64 n) { follow.backward(room + at, dy + at, y + at, at, n); });
  }
  products(dx, dweight, dz, x, weight, s, false, threads);
}

template <class R>
void linear_forward_tangent(R* y_dot, LinearDirection<R> dot, const R* x, const R* weight, const R* y, LinearShape s,
                            const Follow<R>& follow, int threads) {
  const bool plain = follow.is_identity();
  const auto span = [&](R* at, i64 first, i64 n) {
    if (!plain) follow.forward_tangent(at, y + first, first, n);
  };
  const RowEpilogue<R, decltype(span)> epilogue(dot.bias, s.out, span);
  const ProductShape shape{s.batch, s.out, s.in}, nothing{s.batch, s.out, 0};
  if (dot.x)
    multiply<R>(y_dot, s.out, rows(dot.x, s.in), rows(weight, s.in).turned(), shape, false,
                dot.weight ? nullptr : &epilogue, threads);
  if (dot.weight || !dot.x)
    multiply<R>(y_dot, s.out, rows(x, s.in), rows(dot.weight, s.in).turned(), dot.weight ? shape : nothing,
                dot.x != nullptr, &epilogue, threads);
}

template <class R>
void linear_backward_tangent(R* dx_dot, R* dweight_dot, R* dbias_dot, const R* dy_dot, const R* y_dot,
                             LinearDirection<R> dot, const R* dy, const R* x, const R* weight, const R* y,
                             LinearShape s, const Follow<R>& follow, int threads) {
  const R *dz_dot = dy_dot, *dz = dy;
  if (follow.is_identity()) {
    if (dbias_dot) spans_and_column_sums(dbias_dot, dz_dot, s, threads, [](i64, i64) {});
  } else {
    R *to_dot = room_for<R>(s, 2), *to = to_dot + s.batch * s.out;
    dz_dot = to_dot, dz = to;
    spans_and_column_sums(dbias_dot, dz_dot, s, threads, [=](i64 at, i64 n) {
      follow.backward_tangent(to_dot + at, to + at, dy_dot + at, y_dot + at, dy + at, y + at, at, n);
    });
  }
  products<R>(dx_dot, dweight_dot, dz_dot, x, weight, s, false, threads);
  products<R>(dot.weight ? dx_dot : nullptr, dot.x ? dweight_dot : nullptr, dz, dot.x, dot.weight, s, true, threads);
}

#define OPTLAB_LINEAR(R)                                                                                           \
  template void linear_forward(R*, const R*, const R*, const R*, LinearShape, const Follow<R>&, int);              \
  template void linear_backward(R*, R*, R*, const R*, const R*, const R*, const R*, LinearShape, const Follow<R>&, \
                                int);                                                                              \
  template void linear_forward_tangent(R*, LinearDirection<R>, const R*, const R*, const R*, LinearShape,          \
                                       const Follow<R>&, int);                                                     \
  template void linear_backward_tangent(R*, R*, R*, const R*, const R*, LinearDirection<R>, const R*, const R*,    \
                                        const R*, const R*, LinearShape, const Follow<R>&, int);
OPTLAB_LINEAR(float)
OPTLAB_LINEAR(double)
#undef OPTLAB_LINEAR

}  // namespace optlab
