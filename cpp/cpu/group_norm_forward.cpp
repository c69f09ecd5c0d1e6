#include "group_norm_rows.hpp"
#include "optlab/normalization.hpp"
#include "row_sums.hpp"

namespace optlab {
namespace {

/// x_hat = (x - mean) rstd - drift: what the rounded mean lacks, in units of the deviation.
template <class T>
struct Statistics {
  T mean, rstd, drift;
};

template <class R>
OPTLAB_HD R mean_of(const R* x, i64 n) {
  const auto sum_of = [&](R scale) {
    R sum;
    sum_row<R, 1>(&sum, n,
                  [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) { t[0] = load_some(x + i, m) * scale; });
    return sum / static_cast<R>(n);
  };
  const R mean = sum_of(R(1));
  return mean - mean == R(0) ? mean : sum_of(R(0x1p-40)) * R(0x1p40);  // the sum may overflow where the mean does not
}

/// The corrected two-pass algorithm (Chan, Golub and LeVeque 1983): what the rounded mean left over, the mean of the
/// centred numbers, corrects both results.
template <class R>
OPTLAB_HD Statistics<R> statistics(const R* x, i64 n, R eps, i64 ahead) {
  Statistics<R> result{};
  const R count = static_cast<R>(n), mean = mean_of(x, n);
  in_square_range<R>([&](R scale, R inverse) {
    R sums[2];
    sum_row<R, 2>(sums, n, [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
      __builtin_prefetch(x + i + ahead);
      t[0] = load_some(x + i, m) * scale - mean * scale;
      t[1] = t[0] * t[0];
    });
    const R left = sums[0] / count, variance = sums[1] / count - left * left;
    const R total = (variance > R(0) ? variance : variance * R(0)) + eps * scale * scale;
    const R rounded = mean + left * inverse, rest = (mean - rounded) + left * inverse, rstd = scale / sqrt<R>(total);
    result = {rounded, rstd, rest * rstd};
    return total;
  });
  return result;
}

/// Rates of the statistics: of the mean, the mean rate; rstd' = -rstd mean(x_hat x_hat'), both centred by their own
/// means, since those that are given and found are rounded.
template <class R>
OPTLAB_HD Statistics<Dual<R>> statistics(WithRate<R> x, i64 n, R mean, R rstd, i64 ahead) {
  const R mean_rate = mean_of(x.d, n), count = static_cast<R>(n);
  const auto centred = [&](i64 i, i64 m) __attribute__((always_inline)) {
    const Dual<Pack<R>> at = x.packed(i, m);
    return Dual<Pack<R>>{(at.v - mean) * rstd, (at.d - mean_rate) * rstd};
  };
  R sum, drifts[2]{};
  if (mean_is_far(Dual<R>{mean, mean_rate}, Dual<R>{rstd, R(0)}))
    sum_row<R, 2>(drifts, n, [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
      const Dual<Pack<R>> at = centred(i, m);
      t[0] = at.v, t[1] = at.d;
    });
  sum_row<R, 1>(&sum, n, [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
    x.prefetch(i + ahead);
    const Dual<Pack<R>> at = centred(i, m);
    t[0] = at.v * at.d;
  });
  const R drift = drifts[0] / count, rate_drift = drifts[1] / count, with_rate = sum / count - drift * rate_drift;
  return {{mean, mean_rate}, {rstd, -(rstd * with_rate)}, {drift, rate_drift - drift * with_rate}};
}

template <class In, class R>
OPTLAB_HD void normalize_row(R* y, In x, In gamma, In beta, Statistics<typename In::Lane> of, const NormShape& s) {
  const auto mean = In::everywhere(of.mean), rstd = In::everywhere(of.rstd), drift = In::everywhere(of.drift);
  const bool past_cache = leaves_cache<R>(s);
  each_segment(s, gamma, beta, [&](i64 begin, i64 n, auto scale, auto shift) __attribute__((always_inline)) {
    write_packs(y + begin, n, past_cache, [&](i64 i, i64 m) __attribute__((always_inline)) {
      const auto x_hat = normalized(x.packed(begin + i, m), mean, rstd) - drift;
      return In::wanted(x_hat * scale.packed(i, m) + shift.packed(i, m));
    });
  });
}

/// Calls visit(row, ahead): the row's number, and how far the next one is where it is worth prefetching.
template <class Visit>
void each_row(const NormShape& s, int threads, const Visit& visit) {
  const i64 ahead = s.row() <= kNear ? s.row() : 0;
  parallel(s.rows(), threads_for(s, threads), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) visit(row, ahead);
    end_of_stream();
  });
}

}  // namespace

template <class R>
void group_norm_forward(R* y, R* mean, R* rstd, const R* x, const R* gamma, const R* beta, double eps,
                        const NormShape& s, int threads) {
  each_row(s, threads, [&](i64 row, i64 ahead) {
    const i64 first = row * s.row(), channel = row % s.groups * s.channels;
    const Statistics<R> of = statistics(x + first, s.row(), static_cast<R>(eps), ahead);
    normalize_row(y + first, Plain<R>{x + first}, Plain<R>{gamma + channel}, Plain<R>{beta + channel}, of, s);
    mean[row] = of.mean;
    rstd[row] = of.rstd;
  });
}

template <class R>
void group_norm_forward_tangent(R* y, R* mean, R* rstd, WithRate<R> x, WithRate<R> gamma, const R* beta,
                                const R* known_mean, const R* known_rstd, const NormShape& s, int threads) {
  each_row(s, threads, [&](i64 row, i64 ahead) {
    const i64 first = row * s.row(), channel = row % s.groups * s.channels;
    const auto of = statistics(x.from(first), s.row(), known_mean[row], known_rstd[row], ahead);
    const WithRate<R> shift{beta + channel, beta + channel};
    normalize_row(y + first, x.from(first), gamma.from(channel), shift, of, s);
    mean[row] = of.mean.d;
    rstd[row] = of.rstd.d;
  });
}

#define OPTLAB_GROUP_NORM(R)                                                                                   \
  template void group_norm_forward(R*, R*, R*, const R*, const R*, const R*, double, const NormShape&, int);   \
  template void group_norm_forward_tangent(R*, R*, R*, WithRate<R>, WithRate<R>, const R*, const R*, const R*, \
                                           const NormShape&, int);
OPTLAB_GROUP_NORM(float)
OPTLAB_GROUP_NORM(double)

}  // namespace optlab
