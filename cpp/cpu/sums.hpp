// The summation tree of optlab/loops/sum.hpp in the elements layout: lanes are consecutive terms of one sum.
#pragma once
#include "optlab/loops/sum.hpp"
#include "pack.hpp"

namespace optlab {

/// Up to kSumBlock consecutive terms of one sum.
template <class R>
class BlockSum {
 public:
  /// Adds the next lanes<R> terms; absent ones at the very end must be +0.
  OPTLAB_HD void add(Pack<R> terms) {
    Pack<R>& strip = strips_[count_++ % registers];
    strip = strip + terms;
  }
  OPTLAB_HD bool full() const { return count_ == kSumBlock / kLanes<R>; }
  OPTLAB_HD bool empty() const { return count_ == 0; }
  /// The sum; the next block may begin.
  OPTLAB_HD R fold() {
    R strips[kStrips];
    std::memcpy(strips, strips_, sizeof strips);
    *this = BlockSum();
    return fold_strips(strips);
  }

 private:
  static constexpr int registers = kStrips / kLanes<R>;
  Pack<R> strips_[registers]{};
  int count_ = 0;
};

template <class R>
class ElementSum {
 public:
  OPTLAB_HD void add(Pack<R> terms) {
    block_.add(terms);
    if (block_.full()) total_.add(block_.fold());
  }
  OPTLAB_HD R result() {
    if (!block_.empty()) total_.add(block_.fold());
    return total_.result();
  }

 private:
  BlockSum<R> block_;
  CarriedTotal<R> total_;
};

/// The first n lanes, zeros behind.
template <class R>
OPTLAB_HD R masked(R pack, i64 n) {
  using Scalar = Real<R>;
  alignas(kRegister) Scalar lanes[Number<R>::lanes];
  if (n == Number<R>::lanes) return pack;
  std::memcpy(lanes, &pack, sizeof pack);
  return load_part(lanes, n);
}

/// Sums term(p) over the packs of a point and writes one sum per lane (runs) or one in front (elements).
/// Elements behind the end are masked, whatever term() makes of them.
template <class R, bool runs, class Term>
OPTLAB_HD void sum_terms(R* out, i64 dim, Term term) {
  constexpr int lanes = kLanes<R>;
  if constexpr (runs) {
    Sum<Pack<R>> sum;
    for (i64 i = 0; i < dim; ++i) sum.add(term(i));
    store(out, sum.result());
  } else {
    ElementSum<R> sum;
    const i64 whole = dim / lanes;
    for (i64 p = 0; p < whole; ++p) sum.add(term(p));
    if (whole * lanes < dim) sum.add(masked(Pack<R>(term(whole)), dim - whole * lanes));
    out[0] = sum.result();
  }
}

}  // namespace optlab
