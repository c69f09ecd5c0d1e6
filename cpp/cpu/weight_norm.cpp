#include "weight_norm.hpp"

#include "optlab/normalization.hpp"
#include "row_sums.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

template <class Visit>
void each_row(i64 rows, i64 n, int threads, const Visit& visit) {
  parallel(rows, worthwhile(threads, rows * n), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) visit(row);
  });
}

template <class R>
R norm_of(const R* v, i64 n) {
  R norm;
  in_square_range<R>([&](R scale, R inverse) {
    R total;
    sum_row<R, 1>(&total, n, [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
      t[0] = load_some(v + i, m) * scale;
      t[0] = t[0] * t[0];
    });
    norm = sqrt<R>(total) * inverse;
    return total;
  });
  return norm;
}

/// The sum of a times the unit vector v / |v|. The division keeps the product in range where 1 / |v| is not.
template <class In>
typename In::Lane along_unit(In a, In v, typename In::Lane norm, i64 n) {
  const auto length = In::everywhere(norm);
  typename In::Scalar sums[In::numbers];
  sum_row<typename In::Scalar, In::numbers>(sums, n, [&](auto* t, i64 i, i64 m) __attribute__((always_inline)) {
    const typename In::Packed term = a.packed(i, m) * (v.packed(i, m) / length);
    for (int k = 0; k < In::numbers; ++k) t[k] = In::parts(term, k);
  });
  return In::joined(sums);
}

template <class In, class R>
void scale_row(R* w, In v, typename In::Lane g, typename In::Lane norm, i64 n) {
  const auto factor = In::everywhere(g), length = In::everywhere(norm);
  each_pack<R>(n, [&](i64 i, i64 m) __attribute__((always_inline)) {
    store_some(w + i, Pack<R>(In::wanted(factor * (v.packed(i, m) / length))), m);
  });
}

}  // namespace

template <class R>
void weight_norm_forward(R* w, R* norm, const R* v, const R* g, i64 outputs, i64 n, int threads) {
  each_row(outputs, n, threads, [&](i64 row) {
    norm[row] = norm_of(v + row * n, n);
    scale_row(w + row * n, Plain<R>{v + row * n}, g[row], norm[row], n);
  });
}

template <class R>
void weight_norm_forward_tangent(R* w, R* norm, WithRate<R> v, WithRate<R> g, const R* known_norm, i64 outputs, i64 n,
                                 int threads) {
  each_row(outputs, n, threads, [&](i64 row) {
    const WithRate<R> from = v.from(row * n);
    norm[row] = along_unit(Plain<R>{from.d}, Plain<R>{from.v}, known_norm[row], n);
    scale_row(w + row * n, from, g.at(row), Dual<R>{known_norm[row], norm[row]}, n);
  });
}

template <class In, class R>
void weight_norm_backward(R* dv, R* dg, In dw, In v, In g, In norm, i64 outputs, i64 n, int threads) {
  each_row(outputs, n, threads, [&](i64 row) {
    const In a = dw.from(row * n), b = v.from(row * n);
    const auto along = along_unit(a, b, norm.at(row), n);
    dg[row] = In::wanted(along);
    const auto length = In::everywhere(norm.at(row)), radial = In::everywhere(along);
    const auto gain = In::everywhere(g.at(row));
    each_pack<R>(n, [&](i64 i, i64 m) __attribute__((always_inline)) {
      const typename In::Packed tangential = a.packed(i, m) - b.packed(i, m) / length * radial;
      store_some(dv + row * n + i, Pack<R>(In::wanted(gain * (tangential / length))), m);
    });
  });
}

#define OPTLAB_WEIGHT_NORM(R)                                                                           \
  template void weight_norm_forward(R*, R*, const R*, const R*, i64, i64, int);                         \
  template void weight_norm_forward_tangent(R*, R*, WithRate<R>, WithRate<R>, const R*, i64, i64, int); \
  template void weight_norm_backward(R*, R*, Plain<R>, Plain<R>, Plain<R>, Plain<R>, i64, i64, int);    \
  template void weight_norm_backward(R*, R*, WithRate<R>, WithRate<R>, WithRate<R>, WithRate<R>, i64, i64, int);
OPTLAB_WEIGHT_NORM(float)
OPTLAB_WEIGHT_NORM(double)

}  // namespace optlab
