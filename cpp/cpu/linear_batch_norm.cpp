#include "linear_batch_norm.hpp"

#include "gemm.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

template <class R>
struct NormCall {
  R *y, *z, *mean, *rstd;
  const Running<R>* running;
  Transform<R> scale;
  R eps;
  MatrixShape n;
  const Follow<R>& follow;

  void columns(i64 first, i64 count, int threads) const {
    batch_norm_columns(y, mean, rstd, running, static_cast<const R*>(z), scale, eps, n, first, count, threads);
    if (follow.is_identity()) return;
    parallel(n.rows, threads, [&](i64 begin, i64 end) {
      for (i64 row = begin; row < end; ++row)
        for (i64 j = 0; j < count; j += Follow<R>::kSpan) {
          const i64 at = row * n.features + first + j;
          follow.forward(y + at, at, std::min(Follow<R>::kSpan, count - j));
        }
    });
  }
};

template <class R>
class NormEpilogue : public Epilogue<R> {
 public:
  explicit NormEpilogue(const NormCall<R>& call) : call_(call) {}
  bool whole_columns() const override { return true; }
  void apply(R*, i64, i64 row, i64 rows, i64 column, i64 columns) const override {
    if (row + rows == call_.n.rows) call_.columns(column, columns, 1);
  }

 private:
  const NormCall<R>& call_;
};

}  // namespace

template <class R>
void linear_batch_norm(R* y, R* z, R* mean, R* rstd, const Running<R>* running, const R* x, const R* weight,
                       Transform<R> scale, R eps, LinearShape s, const Follow<R>& follow, int threads) {
  const NormCall<R> call{y, z, mean, rstd, running, scale, eps, {s.batch, s.out}, follow};
  const NormEpilogue<R> epilogue(call);
  const bool afterwards = narrow(call.n);
  multiply<R>(z, s.out, {x, s.in, 1}, {weight, 1, s.in}, {s.batch, s.out, s.in}, false,
              afterwards ? nullptr : &epilogue, threads);
  if (afterwards) call.columns(0, s.out, threads);
}

template void linear_batch_norm(float*, float*, float*, float*, const Running<float>*, const float*, const float*,
                                Transform<float>, float, LinearShape, const Follow<float>&, int);
template void linear_batch_norm(double*, double*, double*, double*, const Running<double>*, const double*,
                                const double*, Transform<double>, double, LinearShape, const Follow<double>&, int);

}  // namespace optlab
