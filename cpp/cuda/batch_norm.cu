// Batch normalization of a matrix (rows x columns), its gradients and the derivatives of both in a direction, with
// statistics of the batch or (eval) given ones. The formulas are those of cpu/batch_norm.cpp;
// optlab/backends/gpu/batch_norm.py says what stands in which argument.
#include "cuda/columns.cuh"
#include "optlab/normalization.hpp"

namespace optlab {
namespace batch_norm {

/// One call. Null stands for the absent: scales of one, shifts and rates of zero, no running averages.
template <class Scalar>
struct ArraysOf {
  using R = Scalar;
  R *out, *first, *second;  ///< of the shape of x, and of one number per column
  const R *u, *u_dot, *x, *x_dot;
  const R *mean, *mean_dot, *rstd, *rstd_dot;  ///< eval: var stands in the place of rstd
  const R *gamma, *gamma_dot, *beta;           ///< in tangents beta is beta_dot
  R *running_mean, *running_var;
  const i64* count;  ///< of the batches before this one, or null: `momentum` is given
  R momentum, eps;
  i64 rows;
};

template <class Scalar, int quantities_of, int coefficients_of, int batch_of>
struct PassOf {
  using R = Scalar;
  using Arrays = ArraysOf<R>;
  using Sums = Numbers<R, quantities_of>;
  using Coefficients = Numbers<R, coefficients_of>;
  static constexpr int quantities = quantities_of, batch = batch_of;
  static constexpr bool writes = true;
  const Arrays& of;
  __device__ explicit PassOf(const Arrays& arrays) : of(arrays) {}
  static OPTLAB_HD bool vectors(const Arrays& a, i64 columns) {
    return aligned_rows(columns, a.out, a.u, a.u_dot, a.x, a.x_dot);
  }
  OPTLAB_HD R gamma(i64 column) const { return of.gamma ? of.gamma[column] : R(1); }
  OPTLAB_HD R beta(i64 column) const { return of.beta ? of.beta[column] : R(0); }
  OPTLAB_HD R given_rstd(i64 column) const { return R(1) / sqrt<R>(of.rstd[column] + of.eps); }
};

/// out = (x - a) b + c
template <class R, int quantities>
struct AffinePass : PassOf<R, quantities, 3, 8> {
  using Base = PassOf<R, quantities, 3, 8>;
  using Base::Base;
  using In = Lanes<R>;
  template <bool once>
  OPTLAB_HD In read(i64 row, const Place& place) const {
    return load_lanes<once>(this->of.x + place.at(row), place);
  }
  OPTLAB_HD R element(const In& x, int l, const typename Base::Coefficients& c) const {
    return (x.at[l] - c.at[0][l]) * c.at[1][l] + c.at[2][l];
  }
};

template <class R>
struct Forward : AffinePass<R, 3> {
  using Base = AffinePass<R, 3>;
  using typename Base::Coefficients;
  using typename Base::In;
  using typename Base::Sums;
  i64 stride;  ///< from row to row
  __device__ Forward(const ArraysOf<R>& arrays, const Place& place) : Base(arrays), stride(place.stride) {}

  /// The moments of the rows in registers: all relative to the first, then the squares around their own mean.
  OPTLAB_HD void add(Sums& sums, const In* x, i64, int count, const Place&) const {
    Sums more{};
    more.rows = static_cast<R>(count);
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) {
      R sum(0), squares(0);
#pragma unroll
      for (int j = 1; j < Base::batch; ++j)
        if (j < count) sum = sum + (x[j].at[l] - x[0].at[l]);
      const R low = sum / more.rows;
#pragma unroll
      for (int j = 0; j < Base::batch; ++j)
        if (j < count) {
          const R offset = (x[j].at[l] - x[0].at[l]) - low;
          squares = squares + offset * offset;
        }
      more.at[0][l] = x[0].at[l];
      more.at[1][l] = low;
      more.at[2][l] = squares;
    }
    join(sums, more);
  }
  static OPTLAB_HD void join(Sums& a, const Sums& b) {
    if (b.rows == R(0)) return;
    if (a.rows == R(0)) {
      a = b;
      return;
    }
    const R share = b.rows / (a.rows + b.rows), weight = a.rows * share;
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l)
      join_moments<R>(a.at[0][l], a.at[1][l], a.at[2][l], b.at[0][l], b.at[1][l], b.at[2][l], share, weight);
    a.rows = a.rows + b.rows;
  }
  OPTLAB_HD void finish(const Sums& sums, int l, i64 column, Coefficients& c) const {
    const auto& a = this->of;
    Spread<R> spread{sums.at[0][l], sums.at[1][l], sums.at[2][l], R(1)};
    if (lost_squares(spread.squares, a.eps))
      spread = spread_out_of_range<R>([&](i64 row) { return a.x[row * stride + column]; }, a.rows);
    const R mean = spread.mean(), rstd = spread.rstd(a.eps, static_cast<R>(a.rows)), by = rstd * this->gamma(column);
    a.first[column] = mean;
    a.second[column] = rstd;
    c.at[0][l] = mean;
    c.at[1][l] = by;
    c.at[2][l] = this->beta(column) - spread.rest() * by;
    if (!a.running_mean) return;
    const R share = a.count ? static_cast<R>(1.0 / (static_cast<double>(*a.count) + 1.0)) : a.momentum;
    const R kept = R(1) - share;
    a.running_mean[column] = kept * a.running_mean[column] + share * mean;
    a.running_var[column] = kept * a.running_var[column] + share * spread.unbiased_variance(static_cast<R>(a.rows - 1));
  }
};

template <class R>
struct EvalForward : AffinePass<R, 1> {
  using Base = AffinePass<R, 1>;
  using typename Base::Coefficients;
  __device__ EvalForward(const ArraysOf<R>& arrays, const Place&) : Base(arrays) {}
  OPTLAB_HD void known(int l, i64 column, Coefficients& c) const {
    c.at[0][l] = this->of.mean[column];
    c.at[1][l] = this->given_rstd(column) * this->gamma(column);
    c.at[2][l] = this->beta(column);
  }
};

/// What a pass over u and x sums: u, u x_hat and, with the batch's own mean, which is rounded, x_hat.
template <class T, bool eval>
inline constexpr int kPairSums = (eval ? 2 : 3) * sizeof(T) / sizeof(Real<T>);

template <class T, bool eval, int coefficients>
struct PairPass : PassOf<Real<T>, kPairSums<T, eval>, coefficients, sizeof(T) == sizeof(Real<T>) ? 4 : 2> {
  using R = Real<T>;
  using Base = PassOf<R, kPairSums<T, eval>, coefficients, sizeof(T) == sizeof(R) ? 4 : 2>;
  using typename Base::Sums;
  struct In {
    Lanes<T> u, x;
  };
  Field<T> u, x;
  Lanes<T> mean, rstd;

  __device__ PairPass(const ArraysOf<R>& a, const Place& place)
      : Base(a),
        u{a.u, a.u_dot},
        x{a.x, a.x_dot},
        mean(numbers<T>({a.mean, a.mean_dot}, place, T{})),
        rstd(numbers<T>({a.rstd, a.rstd_dot}, place, T{})) {
    if constexpr (eval)
#pragma unroll
      for (int l = 0; l < Lanes<T>::count; ++l)
        rstd.at[l] = l < place.width ? constant<T>(this->given_rstd(place.column + l)) : T{};
  }
  template <bool once>
  OPTLAB_HD In read(i64 row, const Place& place) const {
    return {u.template lanes<once>(place.at(row), place), x.template lanes<once>(place.at(row), place)};
  }
  OPTLAB_HD void add(Sums& sums, const In* in, i64, int count, const Place&) const {
#pragma unroll
    for (int j = 0; j < Base::batch; ++j)
      if (j < count)
#pragma unroll
        for (int l = 0; l < Lanes<T>::count; ++l) {
          const T slope = in[j].u.at[l];
          const T x_hat = normalized<T>(in[j].x.at[l], mean.at[l], rstd.at[l]);
          put_number(sums.at, 0, l, get_number<T>(sums.at, 0, l) + slope);
          put_number(sums.at, 1, l, get_number<T>(sums.at, 1, l) + slope * x_hat);
          if (!eval) put_number(sums.at, 2, l, get_number<T>(sums.at, 2, l) + x_hat);
        }
  }
  static OPTLAB_HD void join(Sums& a, const Sums& b) { a.add(b); }
};

/// out = (u + c + (x - m) k) b + (d + (x - m) e), or its rate; `numbers` c, k, b and, perhaps, d, e.
template <class T, bool eval, int numbers>
struct Projected : PairPass<T, eval, numbers * sizeof(T) / sizeof(Real<T>)> {
  using Base = PairPass<T, eval, numbers * sizeof(T) / sizeof(Real<T>)>;
  using typename Base::Coefficients;
  using typename Base::In;
  using R = Real<T>;
  using Base::Base;
  OPTLAB_HD R element(const In& in, int l, const Coefficients& c) const {
    const T offset = in.x.at[l] - this->mean.at[l];
    const auto of = [&](int which) { return get_number<T>(c.at, which, l); };
    const T projected = ((in.u.at[l] + of(0)) + offset * of(1)) * of(2);
    if constexpr (numbers == 3) return wanted(projected);
    return wanted(projected + (of(3) + offset * of(4)));
  }
  static OPTLAB_HD void set(Coefficients& c, int l, const Projection<T, R>& take) {
    put_number(c.at, 0, l, take.c);
    put_number(c.at, 1, l, take.k);
    put_number(c.at, 2, l, take.b);
  }
  /// The sums over the batch, the second free of the drift of x_hat.
  struct OfBatch {
    T plain, with_x, drift;
  };
  OPTLAB_HD OfBatch of_batch(const typename Base::Sums& sums, int l) const {
    const T plain = get_number<T>(sums.at, 0, l), drift = get_number<T>(sums.at, 2, l) / static_cast<R>(this->of.rows);
    return {plain, get_number<T>(sums.at, 1, l) - plain * drift, drift};
  }
};

template <class R>
struct Backward : Projected<R, false, 3> {
  using Base = Projected<R, false, 3>;
  using Base::Base;
  OPTLAB_HD void finish(const typename Base::Sums& sums, int l, i64 column, typename Base::Coefficients& c) const {
    const auto& a = this->of;
    const auto [plain, with_x, drift] = this->of_batch(sums, l);
    a.second[column] = plain;
    a.first[column] = with_x;
    const Projection<R, R> take(this->gamma(column), this->rstd.at[l], plain, with_x, drift, static_cast<R>(a.rows));
    Base::set(c, l, take);
  }
};

/// x_hat changes by the very projection of x_dot that its gradient takes of dy; u is x_dot.
template <class R>
struct ForwardTangent : Projected<R, false, 5> {
  using Base = Projected<R, false, 5>;
  using Base::Base;
  OPTLAB_HD void finish(const typename Base::Sums& sums, int l, i64 column, typename Base::Coefficients& c) const {
    const auto& a = this->of;
    const auto [plain, with_x, drift] = this->of_batch(sums, l);
    const R rows = static_cast<R>(a.rows), r = this->rstd.at[l];
    const Projection<R, R> take(this->gamma(column), r, plain, with_x, drift, rows);
    a.first[column] = plain / rows;
    a.second[column] = -(r * (r * (with_x / rows)));
    const R gamma_dot = a.gamma_dot ? a.gamma_dot[column] : R(0);
    Base::set(c, l, take);
    c.at[3][l] = this->beta(column) - gamma_dot * drift;
    c.at[4][l] = r * gamma_dot;
  }
};

template <class R>
struct BackwardTangent : Projected<Dual<R>, false, 3> {
  using Base = Projected<Dual<R>, false, 3>;
  using Base::Base;
  OPTLAB_HD void finish(const typename Base::Sums& sums, int l, i64 column, typename Base::Coefficients& c) const {
    const auto& a = this->of;
    const auto [plain, with_x, drift] = this->of_batch(sums, l);
    const Dual<R> gamma{this->gamma(column), a.gamma_dot ? a.gamma_dot[column] : R(0)};
    a.second[column] = plain.d;
    a.first[column] = with_x.d;
    const Projection<Dual<R>, R> take(gamma, this->rstd.at[l], plain, with_x, drift, static_cast<R>(a.rows));
    Base::set(c, l, take);
  }
};

/// out = u b
template <class R>
struct EvalBackward : PairPass<R, true, 1> {
  using Base = PairPass<R, true, 1>;
  using Base::Base;
  OPTLAB_HD void finish(const typename Base::Sums& sums, int l, i64 column, typename Base::Coefficients& c) const {
    this->of.second[column] = sums.at[0][l];
    this->of.first[column] = sums.at[1][l];
    c.at[0][l] = this->rstd.at[l] * this->gamma(column);
  }
  OPTLAB_HD R element(const typename Base::In& in, int l, const typename Base::Coefficients& c) const {
    return in.u.at[l] * c.at[0][l];
  }
};

/// out = (u b + c) + (x - m) k
template <class R>
struct EvalForwardTangent : PairPass<R, true, 3> {
  using Base = PairPass<R, true, 3>;
  using Base::Base;
  OPTLAB_HD R element(const typename Base::In& in, int l, const typename Base::Coefficients& c) const {
    return (in.u.at[l] * c.at[0][l] + c.at[1][l]) + (in.x.at[l] - this->mean.at[l]) * c.at[2][l];
  }
  OPTLAB_HD void known(int l, i64 column, typename Base::Coefficients& c) const {
    const R r = this->rstd.at[l], gamma_dot = this->of.gamma_dot ? this->of.gamma_dot[column] : R(0);
    c.at[0][l] = r * this->gamma(column);
    c.at[1][l] = this->beta(column);
    c.at[2][l] = r * gamma_dot;
  }
};

/// out = dy_dot b + dy k
template <class R>
struct EvalBackwardTangent : PairPass<Dual<R>, true, 2> {
  using Base = PairPass<Dual<R>, true, 2>;
  using Base::Base;
  OPTLAB_HD void finish(const typename Base::Sums& sums, int l, i64 column, typename Base::Coefficients& c) const {
    const auto& a = this->of;
    a.second[column] = sums.at[1][l];
    a.first[column] = sums.at[3][l];
    c.at[0][l] = this->rstd.at[l].v * this->gamma(column);
    c.at[1][l] = this->rstd.at[l].v * (a.gamma_dot ? a.gamma_dot[column] : R(0));
  }
  OPTLAB_HD R element(const typename Base::In& in, int l, const typename Base::Coefficients& c) const {
    return in.u.at[l].d * c.at[0][l] + in.u.at[l].v * c.at[1][l];
  }
};

}  // namespace batch_norm

#define OPTLAB_BATCH_NORM_ARGUMENTS                                                                           \
  R *out, R *first, R *second, const R *u, const R *u_dot, const R *x, const R *x_dot, const R *mean,         \
      const R *mean_dot, const R *rstd, const R *rstd_dot, const R *gamma, const R *gamma_dot, const R *beta, \
      R *running_mean, R *running_var, const i64 *count, R momentum, R eps
#define OPTLAB_BATCH_NORM                                                                                         \
  batch_norm::ArraysOf<R> {                                                                                       \
    out, first, second, u, u_dot, x, x_dot, mean, mean_dot, rstd, rstd_dot, gamma, gamma_dot, beta, running_mean, \
        running_var, count, momentum, eps, rows                                                                   \
  }

/// A pass that needs sums before it can write.
template <template <class> class Pass, class R>
__global__ void __launch_bounds__(kThreads)
    batch_norm_pass(OPTLAB_BATCH_NORM_ARGUMENTS, OPTLAB_LAUNCH_ARGUMENTS_OF(R)) {
  column_pass<Pass<R>>(OPTLAB_BATCH_NORM, OPTLAB_LAUNCH);
}

/// A pass whose columns' numbers are known: blocks (tile, chunk).
template <template <class> class Pass, class R>
__global__ void __launch_bounds__(kThreads)
    batch_norm_known(OPTLAB_BATCH_NORM_ARGUMENTS, i64 rows, i64 columns, i64 across, i64 chunk) {
  const batch_norm::ArraysOf<R> of = OPTLAB_BATCH_NORM;
  const u32 width = static_cast<u32>(across) * Vector<R>::lanes;
  const u32 tiles = static_cast<u32>((columns + width - 1) / width);
  const Place place(blockIdx.x % tiles, static_cast<int>(across), columns, Vector<R>::lanes,
                    Pass<R>::vectors(of, columns));
  const Pass<R> pass(of, place);
  typename Pass<R>::Coefficients c{};
#pragma unroll
  for (int l = 0; l < Lanes<R>::count; ++l)
    if (l < place.width) pass.known(l, place.column + l, c);
  const i64 begin = blockIdx.x / tiles * chunk;
  ColumnPass<Pass<R>>{pass, place}.template apply<false>(begin, begin + chunk < rows ? begin + chunk : rows, c);
}

}  // namespace optlab
