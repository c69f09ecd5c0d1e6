#include "optlab/landscapes/list.hpp"

#include "landscape.hpp"
#include "optlab/dual.hpp"
#include "sums.hpp"

namespace optlab {
namespace {

/// out = M x for a dim x dim matrix given by rows of its transpose: out_i is the sum over j, in order, of mt[j][i] x_j.
template <class R>
void multiply(Pack<R>* out, const R* mt, const Pack<R>* x, i64 dim, Layout layout) {
  constexpr int lanes = kLanes<R>;
  const i64 packs = packs_of(dim, layout, lanes);
  for (i64 p = 0; p < packs; ++p) out[p] = Pack<R>{};
  for (i64 j = 0; j < dim; ++j) {
    const R* row = mt + j * dim;
    if (layout == Layout::runs) {
      const Pack<R> xj = x[j];
      for (i64 i = 0; i < dim; ++i) out[i] = out[i] + xj * row[i];
    } else {
      const R xj = reinterpret_cast<const R*>(x)[j];
      for (i64 p = 0; p < packs; ++p) {
        const i64 left = dim - p * lanes;
        out[p] = out[p] + (left < lanes ? load_part(row + p * lanes, left) : load(row + p * lanes)) * xj;
      }
    }
  }
}

/// A sum of a function of one coordinate, turned by a rotation if there is one.
template <class F, class R>
class Separable final : public Landscape<R> {
 public:
  using P = Pack<R>;
  Separable(i64 dim, Arrays<R> coefficients, std::vector<R> rotation)
      : Landscape<R>(dim), rotation_(std::move(rotation)), transposed_(rotation_.size()) {
    const i64 padded = this->packs(Layout::elements) * kLanes<R>;
    for (int k = 0; k < F::coefficients; ++k) {
      coefficients_[k] = std::move(coefficients.at(static_cast<std::size_t>(k)));
      coefficients_[k].resize(static_cast<std::size_t>(padded));
    }
    if (!rotation_.empty())
      for (i64 i = 0; i < dim; ++i)
        for (i64 j = 0; j < dim; ++j) transposed_[at(j * dim + i)] = rotation_[at(i * dim + j)];
  }
  bool supports(Layout) const override { return true; }

  void value(R* out, const P* x, Layout layout, Batch, Buffer<P>& scratch) const override {
    const P* u = turned(x, layout, scratch, 0);
    if (layout == Layout::runs)
      sum_terms<R, true>(out, this->dim, term_value<true>(u));
    else
      sum_terms<R, false>(out, this->dim, term_value<false>(u));
  }

  void grad(P* g, const P* x, Layout layout, Batch, Buffer<P>& scratch) const override {
    const P* u = turned(x, layout, scratch, 0);
    P* into = rotation_.empty() ? g : scratch.get() + this->packs(layout);
    if (layout == Layout::runs)
      fill_grad<true>(into, u);
    else
      fill_grad<false>(into, u);
    if (!rotation_.empty()) multiply(g, transposed_.data(), into, this->dim, layout);
  }

  void hvp(P* h, const P* x, const P* v, Layout layout, Batch, Buffer<P>& scratch) const override {
    const i64 packs = this->packs(layout);
    scratch.reserve(3 * packs);
    const P* u = turned(x, layout, scratch, 0);
    const P* w = turned(v, layout, scratch, packs);
    P* into = rotation_.empty() ? h : scratch.get() + 2 * packs;
    if (layout == Layout::runs)
      fill_hvp<true>(into, u, w);
    else
      fill_hvp<false>(into, u, w);
    if (!rotation_.empty()) multiply(h, transposed_.data(), into, this->dim, layout);
  }

 private:
  static std::size_t at(i64 i) { return static_cast<std::size_t>(i); }

  /// Q^T x in the scratch at `offset`, or x itself.
  const P* turned(const P* x, Layout layout, Buffer<P>& scratch, i64 offset) const {
    if (rotation_.empty()) return x;
    scratch.reserve(2 * this->packs(layout));
    multiply(scratch.get() + offset, rotation_.data(), x, this->dim, layout);
    return scratch.get() + offset;
  }

  template <bool runs>
  OPTLAB_HD void coefficients_at(i64 p, P* c) const {
    for (int k = 0; k < F::coefficients; ++k)
      c[k] = runs ? splat(coefficients_[k][at(p)]) : load(coefficients_[k].data() + p * kLanes<R>);
  }

  template <bool runs>
  auto term_value(const P* x) const {
    return [this, x](i64 p) {
      P c[F::coefficients];
      coefficients_at<runs>(p, c);
      return F::template value<P>(x[p], c);
    };
  }

  template <bool runs>
  void fill_grad(P* g, const P* x) const {
    const i64 packs = this->packs(runs ? Layout::runs : Layout::elements);
    for (i64 p = 0; p < packs; ++p) {
      P c[F::coefficients];
      coefficients_at<runs>(p, c);
      g[p] = F::template grad<P>(x[p], c);
    }
  }

  template <bool runs>
  void fill_hvp(P* h, const P* x, const P* v) const {
    const i64 packs = this->packs(runs ? Layout::runs : Layout::elements);
    for (i64 p = 0; p < packs; ++p) {
      P c[F::coefficients];
      coefficients_at<runs>(p, c);
      h[p] = F::template grad<Dual<P>>(Dual<P>{x[p], v[p]}, c).d;
    }
  }

  std::vector<R> coefficients_[F::coefficients], rotation_, transposed_;
};

/// A function of the whole point; runs in the lanes only.
template <class F, class R>
class Coupled final : public Landscape<R> {
 public:
  using P = Pack<R>;
  Coupled(i64 dim, Arrays<R> coefficients) : Landscape<R>(dim) {
    if (F::coefficients) coefficients_ = std::move(coefficients.at(0));
  }
  bool supports(Layout layout) const override { return layout == Layout::runs; }
  void value(R* out, const P* x, Layout, Batch, Buffer<P>&) const override {
    store(out, F::template value<P>(x, this->dim, coefficients_.data()));
  }
  void grad(P* g, const P* x, Layout, Batch, Buffer<P>&) const override {
    F::template grad<P>(g, x, this->dim, coefficients_.data());
  }
  void hvp(P* h, const P* x, const P* v, Layout, Batch, Buffer<P>& scratch) const override {
    scratch.reserve(4 * this->dim);
    auto* in = reinterpret_cast<Dual<P>*>(scratch.get());
    auto* out = in + this->dim;
    for (i64 i = 0; i < this->dim; ++i) in[i] = {x[i], v[i]};
    F::template grad<Dual<P>>(out, in, this->dim, coefficients_.data());
    for (i64 i = 0; i < this->dim; ++i) h[i] = out[i].d;
  }

 private:
  std::vector<R> coefficients_;
};

}  // namespace

template <class R>
std::unique_ptr<Landscape<R>> make_landscape(const std::string& name, i64 dim, Arrays<R> coefficients,
                                             std::vector<R> rotation) {
#define OPTLAB_MAKE(entry, Functor) \
  if (name == #entry) return std::make_unique<Separable<Functor, R>>(dim, std::move(coefficients), std::move(rotation));
  OPTLAB_SEPARABLE_LANDSCAPES(OPTLAB_MAKE)
#undef OPTLAB_MAKE
#define OPTLAB_MAKE(entry, Functor) \
  if (name == #entry) return std::make_unique<Coupled<Functor, R>>(dim, std::move(coefficients));
  OPTLAB_COUPLED_LANDSCAPES(OPTLAB_MAKE)
#undef OPTLAB_MAKE
  if (auto matrix = make_matrix_landscape(name, dim, coefficients)) return matrix;
  throw std::invalid_argument("no landscape named '" + name + "' in optlab/landscapes/list.hpp");
}

template std::unique_ptr<Landscape<float>> make_landscape(const std::string&, i64, Arrays<float>, std::vector<float>);
template std::unique_ptr<Landscape<double>> make_landscape(const std::string&, i64, Arrays<double>,
                                                           std::vector<double>);

}  // namespace optlab
