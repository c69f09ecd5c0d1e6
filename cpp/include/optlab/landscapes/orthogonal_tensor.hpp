// sum_k sum_{i != j} v_ik^2 v_jk^2 with v_i = u_i / |u_i|, for the rows u_i of a d x d matrix. The coefficient is d.
#pragma once
#include "../loops/sum.hpp"

namespace optlab {

struct OrthogonalTensor {
  /// The rows of length 1.
  template <class C>
  static OPTLAB_HD i64 room(i64 dim, const C*) {
    return dim;
  }
  template <class T, class In, class C>
  static OPTLAB_HD T value(In u, i64, const C* c, T* v) {
    const i64 d = static_cast<i64>(c[0]);
    for (i64 i = 0; i < d; ++i) fill_unit(v + i * d, u + i * d, d);
    Sum<T> sum;
    for (i64 k = 0; k < d; ++k) {
      T above{};  // each pair counts once and then twice, so that nothing cancels where F is near 0
      for (i64 i = 0; i < d; ++i) {
        const T square = v[i * d + k] * v[i * d + k];
        sum.add(square * above);
        above = above + square;
      }
    }
    return sum.result() * Real<T>(2);
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In u, i64, const C* c, T* v) {
    const i64 d = static_cast<i64>(c[0]);
    for (i64 i = 0; i < d; ++i) fill_unit(v + i * d, u + i * d, d);
    for (i64 k = 0; k < d; ++k) {
      T column{};
      for (i64 i = 0; i < d; ++i) column = column + v[i * d + k] * v[i * d + k];
      for (i64 i = 0; i < d; ++i) {
        const T x = v[i * d + k];
        g[i * d + k] = x * (column - x * x) * Real<T>(4);
      }
    }
    for (i64 i = 0; i < d; ++i) turn(g + i * d, v + i * d, u + i * d, d);
  }

 private:
  template <class T, class In>
  static OPTLAB_HD T length(In row, i64 d) {
    T square{};
    for (i64 k = 0; k < d; ++k) square = square + T(row[k]) * row[k];
    return sqrt<T>(square);
  }
  template <class T, class In>
  static OPTLAB_HD void fill_unit(T* v, In row, i64 d) {
    const T norm = length<T>(row, d);
    for (i64 k = 0; k < d; ++k) v[k] = row[k] / norm;
  }
  /// The gradient along the unit row into that along the row: (I - v v^T) g / |u|.
  template <class T, class Out, class In>
  static OPTLAB_HD void turn(Out g, const T* v, In row, i64 d) {
    const T norm = length<T>(row, d);
    T along{};
    for (i64 k = 0; k < d; ++k) along = along + v[k] * g[k];
    for (i64 k = 0; k < d; ++k) g[k] = (g[k] - v[k] * along) / norm;
  }
};

}  // namespace optlab
