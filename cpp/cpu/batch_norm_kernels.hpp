// What batch normalization does to a group of columns: two reductions over rows and two passes that write. Each is
// written for one number per column; a dual number gives the derivative in a direction.
#pragma once
#include "batch_norm_groups.hpp"
#include "optlab/loops/sum.hpp"
#include "optlab/normalization.hpp"

namespace optlab {

inline constexpr i64 kChunkRows = 64;
/// Rows that are fetched early: more, and where rows are a power of two apart they push each other out of the few sets
/// of the first-level cache that they all fall into.
inline constexpr i64 kAhead = 2;

/// An array and, where numbers are dual, its derivative; nullptr there stands for zeros.
template <class R, bool dual>
struct Field {
  const R *v, *d = nullptr;
  template <class P>
  OPTLAB_HD auto at(i64 i) const {
    if constexpr (dual)
      return Dual<P>{get<P>(v + i), d ? get<P>(d + i) : P{}};
    else
      return get<P>(v + i);
  }
  template <class G>
  OPTLAB_HD void fetch_row(i64 i) const {
    fetch<G>(v + i);
    if constexpr (dual)
      if (d) fetch<G>(d + i);
  }
};

/// The mean of a column, as an unevaluated sum of two numbers, and the sum of squares around it. Within a chunk of
/// rows all is taken relative to the first row, so no digits are lost where the mean is large, and the squares around
/// the chunk's own mean; chunks are joined as Chan, Golub and LeVeque do.
template <class R>
struct Moments {
  using Real = R;
  static constexpr int quantities = 3, most = 8;
  const R* x;

  template <class G>
  OPTLAB_HD void chunk(G group, i64 at, i64 stride, i64 rows, i64, R* out, i64 spacing) const {
    using P = typename G::Type;
    constexpr int n = G::count;
    alignas(kLine) P offsets[kChunkRows * n];
    P first[n], sum[n]{}, squares[n]{};
    const R* row = x + at;
    for (int j = 0; j < n; ++j) first[j] = get<P>(row + group.at(j));
    for (i64 r = 0; r < rows; ++r, row += stride) {
      fetch<G>(row + kAhead * stride);
      for (int j = 0; j < n; ++j) {
        const P offset = get<P>(row + group.at(j)) - first[j];
        offsets[r * n + j] = offset;
        sum[j] = sum[j] + offset;
      }
    }
    for (int j = 0; j < n; ++j) sum[j] = sum[j] / static_cast<R>(rows);
    for (i64 r = 0; r < rows; ++r)
      for (int j = 0; j < n; ++j) {
        const P offset = offsets[r * n + j] - sum[j];
        squares[j] = squares[j] + offset * offset;
      }
    for (int j = 0; j < n; ++j) {
      put<Group<P, 1, false>>(out + group.at(j), first[j]);
      put<Group<P, 1, false>>(out + spacing + group.at(j), sum[j]);
      put<Group<P, 1, false>>(out + 2 * spacing + group.at(j), squares[j]);
    }
  }

  static void join(R* a, i64 a_spacing, i64 a_rows, const R* b, i64 b_spacing, i64 b_rows, i64 columns) {
    const R share = static_cast<R>(static_cast<double>(b_rows) / static_cast<double>(a_rows + b_rows));
    const R weight = static_cast<R>(a_rows) * share;
    R *high = a, *low = a + a_spacing, *squares = a + 2 * a_spacing;
    for (i64 c = 0; c < columns; ++c)
      join_moments<R>(high[c], low[c], squares[c], b[c], b[b_spacing + c], b[2 * b_spacing + c], share, weight);
  }
};

/// The sums of u and of u x̂ over rows, x̂ = (x - mean) rstd; and of x̂, the drift, in columns where the batch's own mean
/// is so far that its rounding shows.
template <class R, bool dual, bool of_batch = true>
struct Sums {
  using Real = R;
  static constexpr int parts = dual ? 2 : 1, quantities = (of_batch ? 3 : 2) * parts, most = dual ? 4 : 8;
  Field<R, dual> u, x, mean, rstd;

  template <class G>
  OPTLAB_HD void chunk(G group, i64 at, i64 stride, i64 rows, i64 column, R* out, i64 spacing) const {
    if constexpr (of_batch)
      if (far(group, column)) return add<true>(group, at, stride, rows, column, out, spacing);
    add<false>(group, at, stride, rows, column, out, spacing);
  }

  static void join(R* a, i64 a_spacing, i64, const R* b, i64 b_spacing, i64, i64 columns) {
    for (int q = 0; q < quantities; ++q)
      for (i64 c = 0; c < columns; ++c) a[q * a_spacing + c] += b[q * b_spacing + c];
  }

 private:
  template <class G>
  OPTLAB_HD bool far(G group, i64 column) const {
    using P = typename G::Type;
    bool any = false;
    for (int j = 0; j < G::count; ++j) {
      const i64 c = column + group.at(j);
      any = any || Number<P>::any(mean_is_far(mean.template at<P>(c), rstd.template at<P>(c)));
    }
    return any;
  }

  template <bool drifts, class G>
  OPTLAB_HD void add(G group, i64 at, i64 stride, i64 rows, i64 column, R* out, i64 spacing) const {
    using P = typename G::Type;
    using T = decltype(u.template at<P>(0));
    constexpr int n = G::count;
    T centre[n], scale[n], plain[n]{}, with_x[n]{}, drift[n]{};
    for (int j = 0; j < n; ++j) {
      centre[j] = mean.template at<P>(column + group.at(j));
      scale[j] = rstd.template at<P>(column + group.at(j));
    }
    for (i64 r = 0; r < rows; ++r, at += stride) {
      u.template fetch_row<G>(at + kAhead * stride);
      x.template fetch_row<G>(at + kAhead * stride);
      for (int j = 0; j < n; ++j) {
        const T slope = u.template at<P>(at + group.at(j));
        const T x_hat = (x.template at<P>(at + group.at(j)) - centre[j]) * scale[j];
        plain[j] = plain[j] + slope;
        with_x[j] = with_x[j] + slope * x_hat;
        if (drifts) drift[j] = drift[j] + x_hat;
      }
    }
    for (int j = 0; j < n; ++j) {
      keep(out + group.at(j), spacing, plain[j]);
      keep(out + parts * spacing + group.at(j), spacing, with_x[j]);
      if (of_batch) keep(out + 2 * parts * spacing + group.at(j), spacing, drift[j]);
    }
  }

  template <class P>
  OPTLAB_HD static void keep(R* out, i64, P value) {
    put<Group<P, 1, false>>(out, value);
  }
  template <class P>
  OPTLAB_HD static void keep(R* out, i64 spacing, Dual<P> value) {
    keep(out, 0, value.v), keep(out + spacing, 0, value.d);
  }
};

/// out = (x - a) b + c with numbers a, b, c per column, `spacing` apart.
template <class R>
struct Affine {
  using Real = R;
  static constexpr int coefficients = 3, most = 8;
  const R* x;
  R* out;

  template <class G>
  OPTLAB_HD void rows(G group, i64 at, i64 stride, i64 rows, const R* coefficient, i64 spacing) const {
    using P = typename G::Type;
    constexpr int n = G::count;
    P a[n], b[n], c[n];
    for (int j = 0; j < n; ++j) {
      a[j] = get<P>(coefficient + group.at(j));
      b[j] = get<P>(coefficient + spacing + group.at(j));
      c[j] = get<P>(coefficient + 2 * spacing + group.at(j));
    }
    for (i64 r = 0; r < rows; ++r, at += stride) {
      fetch<G>(x + at + kAhead * stride);
      for (int j = 0; j < n; ++j) put<G>(out + at + group.at(j), (get<P>(x + at + group.at(j)) - a[j]) * b[j] + c[j]);
    }
  }
};

/// (u + c + (x - m) k) b, of numbers c, m, k, b: Projection.
struct Projected {
  static constexpr int numbers = 4;
  template <class T, class Of>
  static OPTLAB_HD T apply(T u, T x, const Of& of) {
    return ((u + of(0)) + (x - of(1)) * of(2)) * of(3);
  }
};

/// (u + c + (x - m) k) b + (d + (x - m) e), of numbers c, m, k, b, d, e.
struct ProjectedAndMoved {
  static constexpr int numbers = 6;
  template <class T, class Of>
  static OPTLAB_HD T apply(T u, T x, const Of& of) {
    const T offset = x - of(1);
    return ((u + of(0)) + offset * of(2)) * of(3) + (of(4) + offset * of(5));
  }
};

/// (u b + c) + (x - m) k, of numbers b, c, m, k.
struct Combined {
  static constexpr int numbers = 4;
  template <class T, class Of>
  static OPTLAB_HD T apply(T u, T x, const Of& of) {
    return (u * of(0) + of(1)) + (x - of(2)) * of(3);
  }
};

/// What is written of u and x with numbers per column, each followed by its derivative where numbers are dual; then out
/// is the derivative. Form says which numbers and what is made of them.
template <class Form, class R, bool dual>
struct Pair {
  using Real = R;
  static constexpr int parts = dual ? 2 : 1, coefficients = Form::numbers * parts, most = dual ? 4 : 8;
  Field<R, dual> u, x;
  R* out;

  template <class G>
  OPTLAB_HD void rows(G group, i64 at, i64 stride, i64 rows, const R* coefficient, i64 spacing) const {
    using P = typename G::Type;
    using T = decltype(u.template at<P>(0));
    constexpr int n = G::count;
    T number[Form::numbers][n];
    for (int which = 0; which < Form::numbers; ++which) {
      const R* from = coefficient + which * parts * spacing;
      for (int j = 0; j < n; ++j) number[which][j] = Field<R, dual>{from, from + spacing}.template at<P>(group.at(j));
    }
    for (i64 row = 0; row < rows; ++row, at += stride) {
      u.template fetch_row<G>(at + kAhead * stride);
      x.template fetch_row<G>(at + kAhead * stride);
      for (int j = 0; j < n; ++j) {
        const i64 i = at + group.at(j);
        write<G>(out + i, Form::template apply<T>(u.template at<P>(i), x.template at<P>(i),
                                                  [&](int which) { return number[which][j]; }));
      }
    }
  }

 private:
  template <class G, class P>
  OPTLAB_HD static void write(R* to, P value) {
    put<G>(to, value);
  }
  template <class G, class P>
  OPTLAB_HD static void write(R* to, Dual<P> value) {
    put<G>(to, value.d);
  }
};

}  // namespace optlab
