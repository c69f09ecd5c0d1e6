// |A x - b|^2 / (2 n). Every run may see other rows, so its lanes are always elements: a row times x is one sum over
// lanes, the gradient gathers residual times row in the order of the rows.
#include "landscape.hpp"
#include "sums.hpp"

namespace optlab {
namespace {

template <class R>
class LeastSquares final : public Landscape<R> {
 public:
  using P = Pack<R>;
  LeastSquares(i64 rows, i64 dim, const std::vector<R>& a, std::vector<R> b)
      : Landscape<R>(dim), rows_(rows), a_(rows * this->packs(Layout::elements)), b_(std::move(b)) {
    for (i64 i = 0; i < rows; ++i) std::memcpy(row(i), a.data() + i * dim, static_cast<std::size_t>(dim) * sizeof(R));
  }
  bool supports(Layout layout) const override { return layout == Layout::elements; }
  i64 samples() const override { return rows_; }

  void value(R* out, const P* x, Layout, Batch batch, Buffer<P>&) const override {
    Sum<R> sum;
    for_rows(batch, [&](i64 i) {
      const R r = dot(row(i), x) - b_[static_cast<std::size_t>(i)];
      sum.add(r * r);
    });
    out[0] = sum.result() / (2 * count(batch));
  }

  void grad(P* g, const P* x, Layout, Batch batch, Buffer<P>&) const override {
    gather(g, x, batch, [this](i64 i) { return b_[static_cast<std::size_t>(i)]; });
  }

  void hvp(P* h, const P*, const P* v, Layout, Batch batch, Buffer<P>&) const override {
    gather(h, v, batch, [](i64) { return R(0); });
  }

 private:
  P* row(i64 i) const { return a_.get() + i * this->packs(Layout::elements); }
  R count(Batch batch) const { return static_cast<R>(batch.index ? batch.size : rows_); }

  template <class Visit>
  void for_rows(Batch batch, Visit visit) const {
    if (batch.index)
      for (i64 k = 0; k < batch.size; ++k) visit(batch.index[k]);
    else
      for (i64 i = 0; i < rows_; ++i) visit(i);
  }

  R dot(const P* a, const P* x) const {
    R out;
    sum_terms<R, false>(&out, this->dim, [=](i64 p) { return a[p] * x[p]; });
    return out;
  }

  /// out = sum_i (A_i x - target_i) A_i / n
  template <class Target>
  void gather(P* out, const P* x, Batch batch, Target target) const {
    const i64 packs = this->packs(Layout::elements);
    for (i64 p = 0; p < packs; ++p) out[p] = P{};
    for_rows(batch, [&](i64 i) {
      const P* a = row(i);
      const R residual = dot(a, x) - target(i);
      for (i64 p = 0; p < packs; ++p) out[p] = out[p] + a[p] * residual;
    });
    const R n = count(batch);
    for (i64 p = 0; p < packs; ++p) out[p] = out[p] / n;
  }

  i64 rows_;
  Buffer<P> a_;
  std::vector<R> b_;
};

}  // namespace

template <class R>
std::unique_ptr<Landscape<R>> make_least_squares(i64 rows, i64 dim, std::vector<R> a, std::vector<R> b) {
  return std::make_unique<LeastSquares<R>>(rows, dim, a, std::move(b));
}

template std::unique_ptr<Landscape<float>> make_least_squares(i64, i64, std::vector<float>, std::vector<float>);
template std::unique_ptr<Landscape<double>> make_least_squares(i64, i64, std::vector<double>, std::vector<double>);

}  // namespace optlab
