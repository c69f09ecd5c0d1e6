#include "softmax.hpp"

#include "exponentials.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

constexpr auto kNothingElse = [](auto...) {};

/// row(k) for all rows, which threads share.
template <class Work>
void each_row(i64 rows, int threads, Work row) {
  parallel(rows, threads, [&](i64 begin, i64 end) {
    for (i64 k = begin; k < end; ++k) row(k);
  });
}

/// The sum of term(i, n) over a row.
template <class R, class Term>
OPTLAB_HD R row_sum(i64 size, Term term) {
  ElementSum<R> sum;
  each_pack<R>(size, [&](i64 i, auto n) { sum.add(filled<R>(term(i, n), n)); });
  return sum.result();
}

/// out = value(i, n) over a row.
template <class R, class Value>
OPTLAB_HD void fill_row(R* out, i64 size, Value value) {
  each_pack<R>(size, [&](i64 i, auto n) { put(out + i, Pack<R>(value(i, n)), n); });
}

}  // namespace

template <class R>
void softmax(R* y, const R* x, i64 rows, i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> row = row_of(x, k, rows, classes);
    R* const out = y + k * classes;
    const R scale = R(1) / exponentials(out, row, row_max(row), kNothingElse);
    fill_row(out, classes, [&](i64 i, auto n) { return stored<R>(out + i, n) * scale; });
  });
}

template <class R>
void log_softmax(R* y, const R* x, i64 rows, i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> row = row_of(x, k, rows, classes);
    const R max = row_max(row);
    const R shift = log<R>(exponentials(nullptr, row, max, kNothingElse));
    fill_row(y + k * classes, classes, [&](i64 i, auto n) { return (row.pack(i, n) - max) - shift; });
  });
}

template <class R>
void softmax_jacobian(R* out, const R* v, const R* y, i64 rows, i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> in = row_of(v, k, rows, classes), at = row_of(y, k, rows, classes);
    const R mean = row_sum<R>(classes, [&](i64 i, auto n) { return at.pack(i, n) * in.pack(i, n); });
    fill_row(out + k * classes, classes, [&](i64 i, auto n) { return at.pack(i, n) * (in.pack(i, n) - mean); });
  });
}

template <class R>
void log_softmax_backward(R* dx, const R* dy, const R* y, i64 rows, i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> in = row_of(dy, k, rows, classes), at = row_of(y, k, rows, classes);
    const R total = row_sum<R>(classes, [&](i64 i, auto n) { return in.pack(i, n); });
    fill_row(dx + k * classes, classes,
             [&](i64 i, auto n) { return in.pack(i, n) - exp<Pack<R>>(at.pack(i, n)) * total; });
  });
}

template <class R>
void log_softmax_tangent(R* y_dot, const R* x_dot, const R* y, i64 rows, i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> in = row_of(x_dot, k, rows, classes), at = row_of(y, k, rows, classes);
    const R mean = row_sum<R>(classes, [&](i64 i, auto n) { return exp<Pack<R>>(at.pack(i, n)) * in.pack(i, n); });
    fill_row(y_dot + k * classes, classes, [&](i64 i, auto n) { return in.pack(i, n) - mean; });
  });
}

// dx = y (dy - c) with c = <y, dy>, so dx' = y' (dy - c) + y (dy' - c') with c' = <y', dy> + <y, dy'>.
template <class R>
void softmax_backward_tangent(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 rows,
                              i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> g = row_of(dy, k, rows, classes), at = row_of(y, k, rows, classes);
    const Row<R> g_dot = row_of(dy_dot, k, rows, classes), at_dot = row_of(y_dot, k, rows, classes);
    const R c = row_sum<R>(classes, [&](i64 i, auto n) { return at.pack(i, n) * g.pack(i, n); });
    const R c_dot = row_sum<R>(
        classes, [&](i64 i, auto n) { return at_dot.pack(i, n) * g.pack(i, n) + at.pack(i, n) * g_dot.pack(i, n); });
    fill_row(dx_dot + k * classes, classes, [&](i64 i, auto n) {
      return at_dot.pack(i, n) * (g.pack(i, n) - c) + at.pack(i, n) * (g_dot.pack(i, n) - c_dot);
    });
  });
}

// dx = dy - exp(y) S with S = sum(dy), so dx' = dy' - exp(y) (S' + y' S).
template <class R>
void log_softmax_backward_tangent(R* dx_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 rows,
                                  i64 classes, int threads) {
  each_row(rows, threads, [=](i64 k) {
    const Row<R> g = row_of(dy, k, rows, classes), at = row_of(y, k, rows, classes);
    const Row<R> g_dot = row_of(dy_dot, k, rows, classes), at_dot = row_of(y_dot, k, rows, classes);
    const R total = row_sum<R>(classes, [&](i64 i, auto n) { return g.pack(i, n); });
    const R total_dot = row_sum<R>(classes, [&](i64 i, auto n) { return g_dot.pack(i, n); });
    fill_row(dx_dot + k * classes, classes, [&](i64 i, auto n) {
      return g_dot.pack(i, n) - exp<Pack<R>>(at.pack(i, n)) * (at_dot.pack(i, n) * total + total_dot);
    });
  });
}

#define OPTLAB_INSTANTIATE(R)                                                                        \
  template void softmax(R*, const R*, i64, i64, int);                                                \
  template void log_softmax(R*, const R*, i64, i64, int);                                            \
  template void softmax_jacobian(R*, const R*, const R*, i64, i64, int);                             \
  template void log_softmax_backward(R*, const R*, const R*, i64, i64, int);                         \
  template void log_softmax_tangent(R*, const R*, const R*, i64, i64, int);                          \
  template void softmax_backward_tangent(R*, const R*, const R*, const R*, const R*, i64, i64, int); \
  template void log_softmax_backward_tangent(R*, const R*, const R*, const R*, const R*, i64, i64, int);
OPTLAB_INSTANTIATE(float)
OPTLAB_INSTANTIATE(double)

}  // namespace optlab
