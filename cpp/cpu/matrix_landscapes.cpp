// Landscapes of the list whose points are matrices. They are small, so lanes are runs.
#include "landscape.hpp"
#include "optlab/dual.hpp"
#include "optlab/landscapes/list.hpp"

namespace optlab {
namespace {

template <class F, class R>
class MatrixLandscape final : public Landscape<R> {
 public:
  using P = Pack<R>;
  MatrixLandscape(i64 dim, std::vector<R> coefficients)
      : Landscape<R>(dim), coefficients_(std::move(coefficients)), room_(F::room(dim, coefficients_.data())) {}
  bool supports(Layout layout) const override { return layout == Layout::runs; }
  i64 room() const override { return room_; }
  void value(R* out, const P* x, Layout, Batch, Buffer<P>& scratch) const override {
    scratch.reserve(room_);
    store(out, F::template value<P>(x, this->dim, coefficients_.data(), scratch.get()));
  }
  void grad(P* g, const P* x, Layout, Batch, Buffer<P>& scratch) const override {
    scratch.reserve(room_);
    F::template grad<P>(g, x, this->dim, coefficients_.data(), scratch.get());
  }
  void hvp(P* h, const P* x, const P* v, Layout, Batch, Buffer<P>& scratch) const override {
    scratch.reserve(2 * (2 * this->dim + room_));
    auto* in = reinterpret_cast<Dual<P>*>(scratch.get());
    auto *out = in + this->dim, *room = out + this->dim;
    for (i64 i = 0; i < this->dim; ++i) in[i] = {x[i], v[i]};
    F::template grad<Dual<P>>(out, in, this->dim, coefficients_.data(), room);
    for (i64 i = 0; i < this->dim; ++i) h[i] = out[i].d;
  }

 private:
  std::vector<R> coefficients_;
  i64 room_;
};

}  // namespace

template <class R>
std::unique_ptr<Landscape<R>> make_matrix_landscape(const std::string& name, i64 dim, Arrays<R>& coefficients) {
#define OPTLAB_MAKE(entry, Functor) \
  if (name == #entry) return std::make_unique<MatrixLandscape<Functor, R>>(dim, std::move(coefficients.at(0)));
  OPTLAB_MATRIX_LANDSCAPES(OPTLAB_MAKE)
#undef OPTLAB_MAKE
  return nullptr;
}

template std::unique_ptr<Landscape<float>> make_matrix_landscape(const std::string&, i64, Arrays<float>&);
template std::unique_ptr<Landscape<double>> make_matrix_landscape(const std::string&, i64, Arrays<double>&);

}  // namespace optlab
