// The summation tree of optlab/loops/sum.hpp in the elements layout: lanes are consecutive terms of one sum.
#pragma once
#include "optlab/loops/sum.hpp"
#include "pack.hpp"

namespace optlab {

template <class R>
class ElementSum {
 public:
  using P = Pack<R>;
  /// Adds the next lanes<R> terms; absent ones at the very end must be +0.
  OPTLAB_HD void add(P terms) {
    P& strip = strips_[count_ % registers];
    strip = strip + terms;
    if (++count_ == kSumBlock / kLanes<R>) flush();
  }
  OPTLAB_HD R result() {
    if (count_) flush();
    return total_.result();
  }

 private:
  static constexpr int registers = kStrips / kLanes<R>;
  void flush() {
    R strips[kStrips];
    std::memcpy(strips, strips_, sizeof strips);
    total_.add(fold_strips(strips));
    for (P& strip : strips_) strip = P{};
    count_ = 0;
  }
  P strips_[registers]{};
  int count_ = 0;
  CarriedTotal<R> total_;
};

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
    if (whole * lanes < dim) {
      alignas(kRegister) R last[lanes];
      store(last, Pack<R>(term(whole)));
      sum.add(load_part(last, dim - whole * lanes));
    }
    out[0] = sum.result();
  }
}

}  // namespace optlab
