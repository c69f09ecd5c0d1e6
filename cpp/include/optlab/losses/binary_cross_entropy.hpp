// Binary cross entropy of the logit x: -q log sigmoid(x) - (1 - q) log sigmoid(-x) with q = (1 - s) t + s / 2 for the
// label smoothing s. All of it comes from e = exp(-|x|), in sums of terms that are not negative:
//   value = |x| (share of the less likely class) + log(1 + e)
#pragma once
#include "../logistic.hpp"

namespace optlab {

struct BinaryCrossEntropy {
  template <class T>
  static OPTLAB_HD T value(T x, T t, Real<T> smoothing) {
    const T size = magnitude<T>(x), share = unlikely(x, t, smoothing);
    // an infinite logit on the right side misfits by nothing
    const T misfit = select<T>((share == T{}) & (x == x), T{}, size * share);
    return misfit + log1p_inside<T>(exp<T>(-size));
  }
  /// sigmoid(x) - q, from the side where the sigmoid is small, so that a certain and right answer keeps its digits.
  template <class T>
  static OPTLAB_HD T slope(T x, T t, Real<T> smoothing) {
    const T e = exp<T>(-magnitude<T>(x)), small = e / (e + Real<T>(1)), share = unlikely(x, t, smoothing);
    return select<T>(x < T{}, small - share, share - small);
  }
  template <class T>
  static OPTLAB_HD T curvature(T x, T, Real<T>) {
    const T e = exp<T>(-magnitude<T>(x)), whole = e + Real<T>(1);
    return (e / whole) / whole;
  }

 private:
  /// What the target gives to the class that the logit's sign speaks against.
  template <class T>
  static OPTLAB_HD T unlikely(T x, T t, Real<T> smoothing) {
    const Real<T> one(1), half(0.5);
    return select<T>(x < T{}, t, one - t) * (one - smoothing) + smoothing * half;
  }
};

}  // namespace optlab
