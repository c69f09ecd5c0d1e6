// A landscape as the host's loops see it: value, gradient and Hessian-vector product on packs, in one of two layouts.
//   runs      lane l of pack i is coordinate i of run l           (dim packs)
//   elements  lane l of pack p is coordinate p * lanes + l of one run   (ceil(dim / lanes) packs, zeros behind)
// Both layouts do the same operations on every element and sum in the same order, so their bits agree.
#pragma once
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "huge_pages.hpp"
#include "noise.hpp"

namespace optlab {

enum class Layout { runs, elements };

inline i64 packs_of(i64 dim, Layout layout, int lanes) {
  return layout == Layout::runs ? dim : (dim + lanes - 1) / lanes;
}

/// Row-major coordinates of one run into, or out of, its lane of a group.
template <class R>
void load_row(Pack<R>* group, Layout layout, i64 dim, int lane, const R* row) {
  if (layout == Layout::elements)
    std::memcpy(reinterpret_cast<R*>(group), row, static_cast<std::size_t>(dim) * sizeof(R));
  else
    for (i64 i = 0; i < dim; ++i) group[i][lane] = row[i];
}
template <class R>
void store_row(const Pack<R>* group, Layout layout, i64 dim, int lane, R* row) {
  if (layout == Layout::elements)
    std::memcpy(row, reinterpret_cast<const R*>(group), static_cast<std::size_t>(dim) * sizeof(R));
  else
    for (i64 i = 0; i < dim; ++i) row[i] = group[i][lane];
}

/// The layout with fewer packs to work on. Noise comes in blocks of several packs.
template <class R>
Layout cheaper_layout(i64 runs, i64 dim, bool noisy) {
  const i64 lanes = kLanes<R>, block = noisy ? Number<R>::words : 1;
  const i64 as_runs = (runs + lanes - 1) / lanes * dim;
  const i64 as_elements = runs * ((dim + block * lanes - 1) / (block * lanes)) * block;
  return as_elements < as_runs ? Layout::elements : Layout::runs;
}

/// A zeroed, cache-line aligned array.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(i64 count) : count_(count) {
    data_.reset(static_cast<T*>(std::aligned_alloc(alignment_for(bytes()), bytes())));
    if (!data_) throw std::bad_alloc();
    wish_for_huge_pages(data_.get(), bytes());
    std::memset(static_cast<void*>(data_.get()), 0, bytes());
  }
  T* get() const { return data_.get(); }
  T& operator[](i64 i) const { return data_.get()[i]; }
  i64 size() const { return count_; }
  void reserve(i64 count) {
    if (count > count_) *this = Buffer(count);
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::size_t bytes() const {
    const std::size_t least = static_cast<std::size_t>(count_ > 0 ? count_ : 1) * sizeof(T);
    return (least + alignment_for(least) - 1) / alignment_for(least) * alignment_for(least);
  }
  i64 count_ = 0;
  std::unique_ptr<T, Free> data_;
};

/// What a landscape is evaluated on: the samples that a finite sum is restricted to (none means all); where it is
/// random, the address of its draws (none means its deterministic form); and how many threads may share the work.
struct Batch {
  const i64* index = nullptr;
  i64 size = 0;
  i64 lane_step = 0;  ///< runs: from the indices of one lane to those of the next; 0 where all share them
  const DrawAddress* draws = nullptr;
  u32 run = 0;
  int threads = 1;
  void* averages = nullptr;  ///< R numbers: the averages over batches that this evaluation takes part in, or none
};

template <class R>
class Landscape {
 public:
  using P = Pack<R>;
  explicit Landscape(i64 dim) : dim(dim) {}
  virtual ~Landscape() = default;
  virtual bool supports(Layout layout) const = 0;
  /// The quicker one for so many points.
  virtual Layout layout_for(i64 runs, bool noisy) const {
    if (!supports(Layout::runs)) return Layout::elements;
    return supports(Layout::elements) ? cheaper_layout<R>(runs, dim, noisy) : Layout::runs;
  }
  virtual i64 samples() const { return 0; }
  /// How many numbers an entry of the list works on beside a point.
  virtual i64 room() const { return 0; }
  /// Whether points in the layout of elements may stand anywhere in memory, without room behind them: then nothing is
  /// copied, and hvp() is asked for in that layout alone.
  virtual bool in_place() const { return false; }
  /// Whether steps draw more than a batch.
  virtual bool random() const { return false; }
  /// How many numbers it averages over batches for each run.
  virtual i64 averages() const { return 0; }
  /// One value per lane (runs) or one in front (elements).
  virtual void value(R* out, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const = 0;
  virtual void grad(P* g, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const = 0;
  virtual void value_and_grad(R* out, P* g, const P* x, Layout layout, Batch batch, Buffer<P>& scratch) const {
    value(out, x, layout, batch, scratch);
    grad(g, x, layout, batch, scratch);
  }
  virtual void hvp(P* h, const P* x, const P* v, Layout layout, Batch batch, Buffer<P>& scratch) const = 0;
  i64 packs(Layout layout) const { return packs_of(dim, layout, kLanes<R>); }
  const i64 dim;
};

template <class R>
using Arrays = std::vector<std::vector<R>>;

/// Builds a landscape of the list by name. `coefficients` holds one array per coefficient (separable) or a single one
/// (coupled, matrix); `rotation`, when not empty, is the dim x dim matrix Q of f(Q^T x).
template <class R>
std::unique_ptr<Landscape<R>> make_landscape(const std::string& name, i64 dim, Arrays<R> coefficients,
                                             std::vector<R> rotation);

/// The part of it for the landscapes whose points are matrices; null for a name that is not among them.
template <class R>
std::unique_ptr<Landscape<R>> make_matrix_landscape(const std::string& name, i64 dim, Arrays<R>& coefficients);

/// |A x - b|^2 / (2 n) over the n rows of A, or over the rows of a batch.
template <class R>
std::unique_ptr<Landscape<R>> make_least_squares(i64 rows, i64 dim, std::vector<R> a, std::vector<R> b);

}  // namespace optlab
