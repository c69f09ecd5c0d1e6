// Layer normalization, and group normalization of (batch, channels): a row is one group of one sample, `n` consecutive
// numbers, and the scales of its channels are those of group `row % groups`. The formulas are those of
// cpu/group_norm_forward.cpp and cpu/group_norm_backward.cpp.
#include "cuda/columns.cuh"
#include "cuda/rows.cuh"
#include "optlab/normalization.hpp"

namespace optlab {
namespace layer_norm {

/// x_hat = (x - mean) rstd - drift: what the rounded mean lacks, in units of the deviation.
template <class T>
struct Statistics {
  T mean, rstd, drift;
};

template <class Team, class R>
__device__ R mean_of(const R* x, i64 n, bool vectors) {
  const auto mean_with = [&](R scale, R inverse) {
    RowTotal<R> total;
    Team::template each<R>(n, vectors, [&](i64 i, Access as) {
      const Lanes<R> at = load_lanes<false>(x + i, as);
#pragma unroll
      for (int l = 0; l < Lanes<R>::count; ++l) total.add(at.at[l] * scale);  // what does not exist is 0
    });
    return total.template sum<Team>() / static_cast<R>(n) * inverse;
  };
  const R mean = mean_with(R(1), R(1));
  return mean - mean == R(0) ? mean : mean_with(R(0x1p-40), R(0x1p40));  // the sum may overflow where the mean does not
}

/// The corrected two-pass algorithm (Chan, Golub and LeVeque 1983).
template <class Team, class R>
__device__ Statistics<R> statistics(const R* x, i64 n, R eps, bool vectors) {
  Statistics<R> result{};
  const R count = static_cast<R>(n), mean = mean_of<Team>(x, n, vectors);
  in_square_range<R>([&](R scale, R inverse) {
    RowTotal<R> plain, squares;
    Team::template each<R>(n, vectors, [&](i64 i, Access as) {
      const Lanes<R> at = load_lanes<false>(x + i, as);
#pragma unroll
      for (int l = 0; l < Lanes<R>::count; ++l) {
        const R centred = l < as.width ? at.at[l] * scale - mean * scale : R(0);
        plain.add(centred);
        squares.add(centred * centred);
      }
    });
    const R left = plain.template sum<Team>() / count;
    const R variance = squares.template sum<Team>() / count - left * left;
    const R total = (variance > R(0) ? variance : variance * R(0)) + eps * scale * scale;
    const R rounded = mean + left * inverse, rest = (mean - rounded) + left * inverse, rstd = scale / sqrt<R>(total);
    result = {rounded, rstd, rest * rstd};
    return total;
  });
  return result;
}

/// The scales or shifts of a row's channels.
template <class T>
OPTLAB_HD Lanes<T> channels(const Field<T>& of, i64 channel, const Access& as, T absent) {
  Lanes<T> out;
#pragma unroll
  for (int l = 0; l < Lanes<T>::count; ++l) out.at[l] = l < as.width ? of.number(channel + l, absent) : absent;
  return out;
}

template <class Team, class T>
__device__ void normalize_row(Real<T>* y, const Field<T>& x, i64 begin, i64 n, const Statistics<T>& by,
                              const Field<T>& gamma, const Field<T>& beta, i64 channel, bool vectors) {
  using R = Real<T>;
  Team::template each<R>(n, vectors, [&](i64 i, Access as) {
    const Lanes<T> at = x.template lanes<false>(begin + i, as);
    const auto scale = channels(gamma, channel + i, as, constant<T>(R(1))),
               shift = channels(beta, channel + i, as, T{});
    Lanes<R> out;
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      out.at[l] = wanted((normalized<T>(at.at[l], by.mean, by.rstd) - by.drift) * scale.at[l] + shift.at[l]);
    store_lanes<false>(y + begin + i, out, as);
  });
}

template <class R>
OPTLAB_HD void keep(R* values, R*, i64 at, R number) {
  values[at] = number;
}
template <class R>
OPTLAB_HD void keep(R* values, R* rates, i64 at, const Dual<R>& number) {
  values[at] = number.v;
  rates[at] = number.d;
}

/// The sums of dy x_hat and dy over the rows of a matrix (batch, groups n).
template <class T>
struct ParameterGradients {
  using R = Real<T>;
  static constexpr int parts = sizeof(T) / sizeof(R), quantities = 2 * parts, batch = 4 / parts;
  static constexpr bool writes = false;
  using Sums = Numbers<R, quantities>;
  using Coefficients = Numbers<R, 1>;
  struct Arrays {
    Field<T> dy, x, mean, rstd, drift;  ///< the last as layer_norm_backward found it
    R *dgamma, *dbeta;
    i64 n, groups;
  };
  struct In {
    Lanes<T> dy, x_hat;
  };
  const Arrays& of;
  __device__ ParameterGradients(const Arrays& arrays, const Place&) : of(arrays) {}
  static OPTLAB_HD bool vectors(const Arrays& a, i64 columns) {
    return aligned_rows(columns, a.dy.v, a.dy.rates, a.x.v, a.x.rates);
  }
  template <bool once>
  OPTLAB_HD In read(i64 row, const Place& place) const {
    In in{of.dy.template lanes<once>(place.at(row), place), of.x.template lanes<once>(place.at(row), place)};
#pragma unroll
    for (int l = 0; l < Lanes<T>::count; ++l) {
      const i64 group = of.groups == 1 ? 0 : (place.column + (l < place.width ? l : 0)) / of.n;
      const i64 at = row * of.groups + group;
      const T x_hat = normalized<T>(in.x_hat.at[l], of.mean.number(at, T{}), of.rstd.number(at, T{}));
      in.x_hat.at[l] = x_hat - of.drift.number(at, T{});
    }
    return in;
  }
  OPTLAB_HD void add(Sums& sums, const In* in, i64, int count, const Place&) const {
#pragma unroll
    for (int j = 0; j < batch; ++j)
      if (j < count)
#pragma unroll
        for (int l = 0; l < Lanes<T>::count; ++l) {
          put_number(sums.at, 0, l, get_number<T>(sums.at, 0, l) + in[j].dy.at[l] * in[j].x_hat.at[l]);
          put_number(sums.at, 1, l, get_number<T>(sums.at, 1, l) + in[j].dy.at[l]);
        }
  }
  static OPTLAB_HD void join(Sums& a, const Sums& b) { a.add(b); }
  OPTLAB_HD void finish(const Sums& sums, int l, i64 column, Coefficients&) const {
    of.dgamma[column] = wanted(get_number<T>(sums.at, 0, l));
    of.dbeta[column] = wanted(get_number<T>(sums.at, 1, l));
  }
};

}  // namespace layer_norm

template <class R, int team>
__global__ void __launch_bounds__(kThreads) layer_norm_forward(R* y, R* mean, R* rstd, const R* x, const R* gamma,
                                                               const R* beta, i64 rows, i64 groups, i64 n, R eps) {
  using T = Team<team>;
  const i64 row = T::row();
  if (row >= rows) return;  // a whole team
  const bool vectors = aligned_rows(n, x, static_cast<const R*>(y));
  const auto of = layer_norm::statistics<T>(x + row * n, n, eps, vectors);
  layer_norm::normalize_row<T, R>(y, {x}, row * n, n, of, {gamma}, {beta}, row % groups * n, vectors);
  if (T::rank() == 0) {
    mean[row] = of.mean;
    rstd[row] = of.rstd;
  }
}

/// The rates of y, mean and rstd: of the mean, the mean rate; rstd' = -rstd mean(x_hat x_hat'), both centred by their
/// own means, since those that are given and found are rounded.
template <class R, int team>
__global__ void __launch_bounds__(kThreads)
    layer_norm_forward_tangent(R* y, R* mean, R* rstd, const R* x, const R* x_dot, const R* known_mean,
                               const R* known_rstd, const R* gamma, const R* gamma_dot, const R* beta_dot, i64 rows,
                               i64 groups, i64 n) {
  using T = Team<team>;
  const i64 row = T::row(), begin = row * n;
  if (row >= rows) return;
  const bool vectors = aligned_rows(n, x, x_dot, static_cast<const R*>(y));
  const R centre = known_mean[row], scale = known_rstd[row];
  const R mean_rate = layer_norm::mean_of<T>(x_dot + begin, n, vectors);
  const Field<Dual<R>> both{x, x_dot};
  RowTotal<R> of_x_hat, of_rate, of_both;
  T::template each<R>(n, vectors, [&](i64 i, Access as) {
    const auto at = both.template lanes<false>(begin + i, as);
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      if (l < as.width) {
        const R x_hat = (at.at[l].v - centre) * scale, rate = (at.at[l].d - mean_rate) * scale;
        of_x_hat.add(x_hat);
        of_rate.add(rate);
        of_both.add(x_hat * rate);
      }
  });
  const R count = static_cast<R>(n), drift = of_x_hat.template sum<T>() / count;
  const R rate_drift = of_rate.template sum<T>() / count;
  const R with_rate = of_both.template sum<T>() / count - drift * rate_drift, rstd_rate = -(scale * with_rate);
  layer_norm::normalize_row<T, Dual<R>>(
      y, both, begin, n, {{centre, mean_rate}, {scale, rstd_rate}, {drift, rate_drift - drift * with_rate}},
      {gamma, gamma_dot}, {nullptr, beta_dot}, row % groups * n, vectors);
  if (T::rank() == 0) {
    mean[row] = mean_rate;
    rstd[row] = rstd_rate;
  }
}

/// dx, or its rate; and by how much the rounded mean put x_hat off in each row (Statistics).
template <class T, int team>
__global__ void __launch_bounds__(kThreads)
    layer_norm_backward(Real<T>* dx, Real<T>* drifts, Real<T>* drift_rates, const Real<T>* dy, const Real<T>* dy_dot,
                        const Real<T>* x, const Real<T>* x_dot, const Real<T>* mean, const Real<T>* mean_dot,
                        const Real<T>* rstd, const Real<T>* rstd_dot, const Real<T>* gamma, const Real<T>* gamma_dot,
                        i64 rows, i64 groups, i64 n) {
  using R = Real<T>;
  using Of = Team<team>;
  const i64 row = Of::row(), begin = row * n, channel = row % groups * n;
  if (row >= rows) return;
  const bool vectors = aligned_rows(n, dy, dy_dot, x, x_dot, static_cast<const R*>(dx));
  const Field<T> slope{dy, dy_dot}, from{x, x_dot}, scale{gamma, gamma_dot};
  const T centre = Field<T>{mean, mean_dot}.number(row, T{}), inverse = Field<T>{rstd, rstd_dot}.number(row, T{});
  RowTotal<T> plain, with_x, of_x_hat;
  Lanes<T> g, x_hat;
  const auto take = [&](i64 i, Access as) {
    g = slope.template lanes<false>(begin + i, as);
    x_hat = from.template lanes<false>(begin + i, as);
    const auto by = layer_norm::channels(scale, channel + i, as, constant<T>(R(1)));
#pragma unroll
    for (int l = 0; l < Lanes<T>::count; ++l) {
      g.at[l] = by.at[l] * g.at[l];
      x_hat.at[l] = normalized<T>(x_hat.at[l], centre, inverse);
    }
  };
  Of::template each<R>(n, vectors, [&](i64 i, Access as) {
    take(i, as);
#pragma unroll
    for (int l = 0; l < Lanes<T>::count; ++l)
      if (l < as.width) {
        plain.add(g.at[l]);
        with_x.add(g.at[l] * x_hat.at[l]);
        of_x_hat.add(x_hat.at[l]);
      }
  });
  const R count = static_cast<R>(n);
  const T mean_g = plain.template sum<Of>() / count, drift = of_x_hat.template sum<Of>() / count;
  const T mean_gx = with_x.template sum<Of>() / count - mean_g * drift;
  if (Of::rank() == 0) layer_norm::keep(drifts, drift_rates, row, drift);
  Of::template each<R>(n, vectors, [&](i64 i, Access as) {
    take(i, as);
    Lanes<R> out;
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      out.at[l] = wanted(normalization_gradient<T>(g.at[l], x_hat.at[l] - drift, mean_g, mean_gx, inverse));
    store_lanes<false>(dx + begin + i, out, as);
  });
}

/// dgamma and dbeta, or their rates.
template <class T>
__global__ void __launch_bounds__(kThreads)
    layer_norm_parameters(Real<T>* dgamma, Real<T>* dbeta, const Real<T>* dy, const Real<T>* dy_dot, const Real<T>* x,
                          const Real<T>* x_dot, const Real<T>* mean, const Real<T>* mean_dot, const Real<T>* rstd,
                          const Real<T>* rstd_dot, const Real<T>* drift, const Real<T>* drift_dot, i64 n, i64 groups,
                          OPTLAB_LAUNCH_ARGUMENTS_OF(Real<T>)) {
  using R = Real<T>;
  using Pass = layer_norm::ParameterGradients<T>;
  column_pass<Pass>(
      {{dy, dy_dot}, {x, x_dot}, {mean, mean_dot}, {rstd, rstd_dot}, {drift, drift_dot}, dgamma, dbeta, n, groups},
      OPTLAB_LAUNCH);
}

}  // namespace optlab
