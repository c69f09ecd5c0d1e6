// sum_i (1 - P_i) L x_i^2 + P_i h(|x_i|), P_i = prod_{j<i} s(|x_j|): a coordinate lies in a well of its own until all
// those before it have moved out along h, the tentacle, which falls from a saddle at 0 to a minimum at 4 tau. s rises
// from 0 at tau to 1 at 2 tau. All pieces meet with equal second derivatives, so dual numbers may take either's.
#pragma once
#include "../loops/sum.hpp"

namespace optlab {

struct Octopus {
  static constexpr int coefficients = 3;  // L, gamma, tau
  template <class T, class In, class C>
  static OPTLAB_HD T value(In x, i64 n, const C* c) {
    const Tentacle<T> f(c);
    Sum<T> sum;
    T reached = T{} + Real<T>(1);  // P_i
    for (i64 i = 0; i < n; ++i) {
      const T u = f.distance(x[i]);
      sum.add((Real<T>(1) - reached) * f.well(u) + reached * f.arm(u));
      reached = reached * f.moved(u);
    }
    return sum.result();
  }
  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In x, i64 n, const C* c) {
    const Tentacle<T> f(c);
    T reached = T{} + Real<T>(1);
    for (i64 i = 0; i < n; ++i) {
      g[i] = reached;
      reached = reached * f.moved(f.distance(x[i]));
    }
    T change{};  // what the coordinates behind i add to f, from their wells to their tentacles, where i has moved out
    for (i64 i = n - 1; i >= 0; --i) {
      const T u = f.distance(x[i]), p = g[i];
      const T slope = (Real<T>(1) - p) * f.well_slope(u) + p * (f.arm_slope(u) + f.moved_slope(u) * change);
      g[i] = select<T>(x[i] < T{}, -slope, slope);
      change = f.arm(u) - f.well(u) + f.moved(u) * change;
    }
  }

 private:
  template <class T>
  struct Tentacle {
    using R = Real<T>;
    R l, gamma, tau, third, fourth, depth;
    template <class C>
    explicit OPTLAB_HD Tentacle(const C* c)
        : l(c[0]),
          gamma(c[1]),
          tau(c[2]),
          third((R(10) * gamma - R(14) * l) / R(3) * (tau * tau)),
          fourth((R(5) * l - R(3) * gamma) / R(2) * (tau * tau)),
          depth((R(37) * l + R(13) * gamma) / R(6) * (tau * tau)) {}
    OPTLAB_HD T distance(T x) const { return select<T>(x < T{}, -x, x); }
    /// 0 up to tau, 1 from 2 tau on.
    OPTLAB_HD T way(T u) const {
      const T t = (u - tau) / tau, zero{}, one = zero + R(1);
      return select<T>(t < zero, zero, select<T>(t < one, t, one));
    }
    OPTLAB_HD T moved(T u) const {
      const T t = way(u);
      return t * t * t * (t * (t * R(6) - R(15)) + R(10));
    }
    OPTLAB_HD T moved_slope(T u) const {
      const T t = way(u), rest = R(1) - t;
      return t * t * (rest * rest) * (R(30) / tau);
    }
    OPTLAB_HD T well(T u) const { return u * u * l; }
    OPTLAB_HD T well_slope(T u) const { return u * (R(2) * l); }
    OPTLAB_HD T arm(T u) const {
      const T t = way(u), end = u - R(4) * tau;
      const T bend = t * t * t * (t * fourth + third) - u * u * gamma;
      return select<T>(u < T{} + R(2) * tau, bend, end * end * l - depth);
    }
    OPTLAB_HD T arm_slope(T u) const {
      const T t = way(u);
      const T bend = t * t * (t * (R(4) * fourth) + R(3) * third) / tau - u * (R(2) * gamma);
      return select<T>(u < T{} + R(2) * tau, bend, (u - R(4) * tau) * (R(2) * l));
    }
  };
};

}  // namespace optlab
