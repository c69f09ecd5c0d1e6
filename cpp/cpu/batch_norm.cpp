#include "batch_norm.hpp"

#include "batch_norm_sweep.hpp"

namespace optlab {
namespace {

template <class R>
R or_else(const R* values, i64 column, R absent) {
  return values ? values[column] : absent;
}

/// 1 / sqrt(var + eps) of every column.
template <class R>
std::unique_ptr<R[]> reciprocal_deviations(const R* var, R eps, i64 features) {
  const FloatEnvironment environment;
  std::unique_ptr<R[]> rstd(new R[static_cast<std::size_t>(features)]);
  for (i64 c = 0; c < features; ++c) rstd[c] = R(1) / sqrt<R>(var[c] + eps);
  return rstd;
}

/// Numbers of columns as often side by side as rows are read; the numbers themselves if that is once.
template <class R>
class Repeated {
 public:
  Repeated(const R* values, MatrixShape n) : values_(values) {
    const i64 folds = folds_of(n.rows, n.features);
    if (folds == 1 || !values) return;
    copies_.reset(new R[static_cast<std::size_t>(folds * n.features)]);
    for (i64 k = 0; k < folds; ++k) std::copy_n(values, n.features, copies_.get() + k * n.features);
    values_ = copies_.get();
  }
  operator const R*() const { return values_; }

 private:
  const R* values_;
  std::unique_ptr<R[]> copies_;
};

/// Stores the numbers of a Pair's column.
template <class R>
void set(R* coefficients, i64 spacing, i64 column, std::initializer_list<R> numbers) {
  i64 which = 0;
  for (const R number : numbers) coefficients[which++ * spacing + column] = number;
}

/// The sums over the batch of a column, the second without the drift in x̂.
template <class T>
struct BatchSums {
  T plain, with_x, drift;
  template <class R>
  BatchSums(T plain_sum, T sum_with_x, T sum_of_x_hat, T mean, T rstd, R rows) : plain(plain_sum) {
    drift = mean_is_far(mean, rstd) ? sum_of_x_hat / rows : T{};
    with_x = sum_with_x - plain_sum * drift;
  }
};

template <class R>
Dual<R> dual_at(const R* sums, i64 spacing, int which, i64 column) {
  return {sums[2 * which * spacing + column], sums[(2 * which + 1) * spacing + column]};
}

template <class R>
Dual<R> scale_at(const R* gamma, const R* gamma_dot, i64 column) {
  return {or_else<R>(gamma, column, 1), or_else<R>(gamma_dot, column, 0)};
}

}  // namespace

bool narrow(MatrixShape n) {
  return folds_of(n.rows, n.features) > 1;
}

template <class R>
void batch_norm_columns(R* y, R* mean, R* rstd, const Running<R>* running, const R* x, Transform<R> scale, R eps,
                        MatrixShape n, i64 first, i64 count, int threads) {
  const R rows = static_cast<R>(n.rows), others = static_cast<R>(n.rows - 1);
  const auto use = [=](i64 c, const Spread<R>& spread, R* coefficients, i64 spacing) __attribute__((always_inline)) {
    const i64 of = first + c;
    mean[of] = spread.mean();
    rstd[of] = spread.rstd(eps, rows);
    const R by = rstd[of] * or_else<R>(scale.gamma, of, 1);
    coefficients[c] = mean[of];
    coefficients[spacing + c] = by;
    coefficients[2 * spacing + c] = or_else<R>(scale.beta, of, 0) - spread.rest() * by;
  };
  const auto finish = [=](i64 begin, i64 end, const R* moments, R* coefficients, i64 spacing) {
    const auto spread_of = [=](i64 c) { return Spread<R>{moments[c], moments[spacing + c], moments[2 * spacing + c]}; };
    bool lost = false;
    for (i64 c = begin; c < end; ++c) {
      use(c, spread_of(c), coefficients, spacing);
      lost |= lost_squares(moments[2 * spacing + c], eps);
    }
    if (!lost && !running) return;
    for (i64 c = begin; c < end; ++c) {
      Spread<R> spread = spread_of(c);
      if (lost_squares(spread.squares, eps)) {
        spread = spread_out_of_range<R>([=](i64 row) { return x[row * n.features + first + c]; }, n.rows);
        use(c, spread, coefficients, spacing);
      }
      if (running) running->take(first + c, mean[first + c], spread.unbiased_variance(others));
    }
  };
  sweep(Moments<R>{x + first}, Affine<R>{x + first, y + first}, finish, n.rows, count, n.features, threads);
}

template <class R>
void batch_norm(R* y, R* mean, R* rstd, const Running<R>* running, const R* x, Transform<R> scale, R eps, MatrixShape n,
                int threads) {
  batch_norm_columns(y, mean, rstd, running, x, scale, eps, n, 0, n.features, threads);
}

template <class R>
void batch_norm_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const R* x, const R* gamma, Statistics<R> at,
                         MatrixShape n, int threads) {
  const auto finish = [=](i64 begin, i64 end, const R* sums, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      const R rows = static_cast<R>(n.rows);
      const BatchSums<R> of(sums[c], sums[spacing + c], sums[2 * spacing + c], at.mean[c], at.rstd[c], rows);
      const Projection<R, R> take(or_else<R>(gamma, c, 1), at.rstd[c], of.plain, of.with_x, of.drift, rows);
      dbeta[c] = of.plain;
      dgamma[c] = of.with_x;
      set<R>(coefficients, spacing, c, {take.c, at.mean[c], take.k, take.b});
    }
  };
  const Repeated<R> mean(at.mean, n), rstd(at.rstd, n);
  sweep(Sums<R, false>{{dy}, {x}, {mean}, {rstd}}, Pair<Projected, R, false>{{dy}, {x}, dx}, finish, n.rows, n.features,
        threads);
}

template <class R>
void batch_norm_tangent(R* y_dot, R* mean_dot, R* rstd_dot, const R* x_dot, const R* x, const R* gamma,
                        Statistics<R> at, Transform<R> scale_dot, MatrixShape n, int threads) {
  const R rows = static_cast<R>(n.rows);
  // x̂ changes by the very projection of x_dot that its gradient takes of dy.
  const auto finish = [=](i64 begin, i64 end, const R* sums, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      const R r = at.rstd[c], gamma_dot = or_else<R>(scale_dot.gamma, c, 0);
      const BatchSums<R> of(sums[c], sums[spacing + c], sums[2 * spacing + c], at.mean[c], r, rows);
      const Projection<R, R> take(or_else<R>(gamma, c, 1), r, of.plain, of.with_x, of.drift, rows);
      mean_dot[c] = of.plain / rows;
      rstd_dot[c] = -(r * (r * (of.with_x / rows)));
      const R moved = or_else<R>(scale_dot.beta, c, 0) - gamma_dot * of.drift;
      set<R>(coefficients, spacing, c, {take.c, at.mean[c], take.k, take.b, moved, r * gamma_dot});
    }
  };
  const Repeated<R> mean(at.mean, n), rstd(at.rstd, n);
  sweep(Sums<R, false>{{x_dot}, {x}, {mean}, {rstd}}, Pair<ProjectedAndMoved, R, false>{{x_dot}, {x}, y_dot}, finish,
        n.rows, n.features, threads);
}

template <class R>
void batch_norm_backward_tangent(R* dx_dot, R* dgamma_dot, R* dbeta_dot, const R* dy_dot, const R* x_dot, const R* dy,
                                 const R* x, const R* gamma, const R* gamma_dot, Statistics<R> at, Statistics<R> at_dot,
                                 MatrixShape n, int threads) {
  const auto finish = [=](i64 begin, i64 end, const R* sums, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      const R rows = static_cast<R>(n.rows);
      const Dual<R> m{at.mean[c], at_dot.mean[c]}, r{at.rstd[c], at_dot.rstd[c]};
      const auto sum = [=](int which) { return dual_at(sums, spacing, which, c); };
      const BatchSums<Dual<R>> of(sum(0), sum(1), sum(2), m, r, rows);
      const Projection<Dual<R>, R> take(scale_at(gamma, gamma_dot, c), r, of.plain, of.with_x, of.drift, rows);
      dbeta_dot[c] = of.plain.d;
      dgamma_dot[c] = of.with_x.d;
      set<R>(coefficients, spacing, c, {take.c.v, take.c.d, m.v, m.d, take.k.v, take.k.d, take.b.v, take.b.d});
    }
  };
  const Repeated<R> mean(at.mean, n), rstd(at.rstd, n), mean_dot(at_dot.mean, n), rstd_dot(at_dot.rstd, n);
  sweep(Sums<R, true>{{dy, dy_dot}, {x, x_dot}, {mean, mean_dot}, {rstd, rstd_dot}},
        Pair<Projected, R, true>{{dy, dy_dot}, {x, x_dot}, dx_dot}, finish, n.rows, n.features, threads);
}

template <class R>
void batch_norm_eval(R* y, const R* x, const R* mean, const R* var, Transform<R> scale, R eps, MatrixShape n,
                     int threads) {
  const auto finish = [=](i64 begin, i64 end, const R*, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      coefficients[c] = mean[c];
      coefficients[spacing + c] = R(1) / sqrt<R>(var[c] + eps) * or_else<R>(scale.gamma, c, 1);
      coefficients[2 * spacing + c] = or_else<R>(scale.beta, c, 0);
    }
  };
  sweep(Known<R>{}, Affine<R>{x, y}, finish, n.rows, n.features, threads);
}

template <class R>
void batch_norm_eval_backward(R* dx, R* dgamma, R* dbeta, const R* dy, const R* x, const R* mean, const R* var,
                              const R* gamma, R eps, MatrixShape n, int threads) {
  const auto deviations = reciprocal_deviations(var, eps, n.features);
  const R* r = deviations.get();
  const auto finish = [=](i64 begin, i64 end, const R* sums, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      dbeta[c] = sums[c];
      dgamma[c] = sums[spacing + c];
      coefficients[c] = 0;
      coefficients[spacing + c] = r[c] * or_else<R>(gamma, c, 1);
      coefficients[2 * spacing + c] = 0;
    }
  };
  const Repeated<R> means(mean, n), rstd(r, n);
  sweep(Sums<R, false, false>{{dy}, {x}, {means}, {rstd}}, Affine<R>{dy, dx}, finish, n.rows, n.features, threads);
}

template <class R>
void batch_norm_eval_tangent(R* y_dot, const R* x_dot, const R* x, const R* mean, const R* var, const R* gamma,
                             Transform<R> scale_dot, R eps, MatrixShape n, int threads) {
  const auto finish = [=](i64 begin, i64 end, const R*, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      const R r = R(1) / sqrt<R>(var[c] + eps);
      const R beta_dot = or_else<R>(scale_dot.beta, c, 0), gamma_dot = or_else<R>(scale_dot.gamma, c, 0);
      set<R>(coefficients, spacing, c, {r * or_else<R>(gamma, c, 1), beta_dot, mean[c], r * gamma_dot});
    }
  };
  sweep(Known<R>{}, Pair<Combined, R, false>{{x_dot}, {x}, y_dot}, finish, n.rows, n.features, threads);
}

template <class R>
void batch_norm_eval_backward_tangent(R* dx_dot, R* dgamma_dot, R* dbeta_dot, const R* dy_dot, const R* x_dot,
                                      const R* dy, const R* x, const R* mean, const R* var, const R* gamma,
                                      const R* gamma_dot, R eps, MatrixShape n, int threads) {
  const auto deviations = reciprocal_deviations(var, eps, n.features);
  const R* r = deviations.get();
  const auto finish = [=](i64 begin, i64 end, const R* sums, R* coefficients, i64 spacing) {
    for (i64 c = begin; c < end; ++c) {
      dbeta_dot[c] = dual_at(sums, spacing, 0, c).d;
      dgamma_dot[c] = dual_at(sums, spacing, 1, c).d;
      const R scale = r[c] * or_else<R>(gamma, c, 1), scale_dot = r[c] * or_else<R>(gamma_dot, c, 0);
      set<R>(coefficients, spacing, c, {scale, R(0), R(0), scale_dot});
    }
  };
  const Repeated<R> means(mean, n), rstd(r, n);
  sweep(Sums<R, true, false>{{dy, dy_dot}, {x, x_dot}, {means}, {rstd}},
        Pair<Combined, R, false>{{dy_dot}, {dy}, dx_dot}, finish, n.rows, n.features, threads);
}

#define OPTLAB_BATCH_NORM(R)                                                                                           \
  template void batch_norm_columns(R*, R*, R*, const Running<R>*, const R*, Transform<R>, R, MatrixShape, i64, i64,    \
                                   int);                                                                               \
  template void batch_norm(R*, R*, R*, const Running<R>*, const R*, Transform<R>, R, MatrixShape, int);                \
  template void batch_norm_backward(R*, R*, R*, const R*, const R*, const R*, Statistics<R>, MatrixShape, int);        \
  template void batch_norm_tangent(R*, R*, R*, const R*, const R*, const R*, Statistics<R>, Transform<R>, MatrixShape, \
                                   int);                                                                               \
  template void batch_norm_backward_tangent(R*, R*, R*, const R*, const R*, const R*, const R*, const R*, const R*,    \
                                            Statistics<R>, Statistics<R>, MatrixShape, int);                           \
  template void batch_norm_eval(R*, const R*, const R*, const R*, Transform<R>, R, MatrixShape, int);                  \
  template void batch_norm_eval_backward(R*, R*, R*, const R*, const R*, const R*, const R*, const R*, R, MatrixShape, \
                                         int);                                                                         \
  template void batch_norm_eval_tangent(R*, const R*, const R*, const R*, const R*, const R*, Transform<R>, R,         \
                                        MatrixShape, int);                                                             \
  template void batch_norm_eval_backward_tangent(R*, R*, R*, const R*, const R*, const R*, const R*, const R*,         \
                                                 const R*, const R*, const R*, R, MatrixShape, int);
OPTLAB_BATCH_NORM(float)
OPTLAB_BATCH_NORM(double)
#undef OPTLAB_BATCH_NORM

}  // namespace optlab
