// E (sum_i relu(w_i x) - sum_j relu(v_j x))^2 / 2 over normal x. E relu(a x) relu(b x) is
// |a| |b| (sin t + (pi - t) cos t) / (2 pi) with the angle t between a and b. The point holds the rows w_i.
// Coefficients: how many inputs and teachers there are, the teachers' own part of the value; then, for each v_j, its
// length, the range of places where it is not 0, and its direction.
#pragma once
#include "../special.hpp"

namespace optlab {

struct TeacherStudent {
  static constexpr int coefficients = 1;
  static constexpr i64 most_units = 64;  // what belongs to a unit stands on the stack, which the GPU can do, too
  static constexpr int block = 4;        // units at a time: one sum would wait for every single addition

  template <class T, class In, class C>
  static OPTLAB_HD T value(In x, i64 n, const C* c) {
    const i64 d = static_cast<i64>(c[0]), k = n / d;
    const Units<T> u = measured<T>(x, k, d);
    T sum{};
    for (i64 i = 0; i < k; ++i) {
      T own = u.length[i] * Real<T>(kPi / 2);
      for (i64 j = 0; j < i; ++j) {
        T dot{};
        for (i64 r = 0; r < d; ++r) dot = dot + x[i * d + r] * x[j * d + r];
        own = own + u.length[j] * kernel<T>(dot * u.inverse[i] * u.inverse[j]);
      }
      for (const C *v = c + 3, *end = last(c, d); v < end; v += d + 3) {
        T dot{};
        for (i64 r = 0; r < d; ++r) dot = dot + x[i * d + r] * v[3 + r];
        own = own - kernel<T>(dot * u.inverse[i]) * v[0];
      }
      sum = sum + u.length[i] * own;
    }
    return sum * Real<T>(1 / (2 * kPi)) + c[2];
  }

  template <class T, class Out, class In, class C>
  static OPTLAB_HD void grad(Out g, In x, i64 n, const C* c) {
    const i64 d = static_cast<i64>(c[0]), k = n / d;
    Units<T> u = measured<T>(x, k, d);
    for (i64 i = 0; i < n; ++i) g[i] = T{};
    for (i64 i = 0; i < k; ++i) {
      i64 j = 0;
      for (; j + block <= i; j += block) pull_students<block>(g, u, x, d, i, j);
      for (; j < i; ++j) pull_students<1>(g, u, x, d, i, j);
    }
    for (const C *v = c + 3, *end = last(c, d); v < end; v += d + 3) {
      i64 i = 0;
      for (; i + block <= k; i += block) pull_teacher<block>(g, u, x, d, i, v);
      for (; i < k; ++i) pull_teacher<1>(g, u, x, d, i, v);
    }
    for (i64 i = 0; i < n; ++i) g[i] = (g[i] + x[i] * u.along[i / d]) * Real<T>(1 / (2 * kPi));
  }

 private:
  template <class T>
  struct Units {
    T length[most_units], inverse[most_units];  // a unit of length 0 has the inverse 0, and so no direction
    T along[most_units];                        // of 2 pi times the gradient, what is a multiple of the unit itself
  };

  template <class C>
  static OPTLAB_HD const C* last(const C* c, i64 d) {
    return c + 3 + static_cast<i64>(c[1]) * (d + 3);
  }

  template <class T, class In>
  static OPTLAB_HD Units<T> measured(In x, i64 k, i64 d) {
    Units<T> u;
    for (i64 i = 0; i < k; ++i) {
      T square{};
      for (i64 r = 0; r < d; ++r) square = square + x[i * d + r] * x[i * d + r];
      u.inverse[i] = inverse_root(square);
      u.length[i] = square * u.inverse[i];
      u.along[i] = T{} + Real<T>(kPi);
    }
    return u;
  }

  /// The angle of a cosine that rounding has touched. The root in acos would make 2e-8 of an error of 2e-16: what is as
  /// near to 1 as that is 1.
  template <class T>
  static OPTLAB_HD void angle_of(T cosine, T& angle, T& sine) {
    acos(cosine * Real<T>(1 + 4 / static_cast<double>(ConstantsOf<T>::two_mantissa)), angle, sine);
  }

  template <class T>
  static OPTLAB_HD T kernel(T cosine) {
    T angle, sine;
    angle_of(cosine, angle, sine);
    return sine + (Real<T>(kPi) - angle) * cosine;
  }

  /// What unit i and B units from j < i do to each other.
  template <int B, class T, class Out, class In>
  static OPTLAB_HD void pull_students(Out g, Units<T>& u, In x, i64 d, i64 i, i64 j) {
    T dot[B]{}, rest[B];
    for (i64 r = 0; r < d; ++r)
      for (int b = 0; b < B; ++b) dot[b] = dot[b] + x[i * d + r] * x[(j + b) * d + r];
    for (int b = 0; b < B; ++b) {
      T angle, sine;
      angle_of(dot[b] * u.inverse[i] * u.inverse[j + b], angle, sine);
      u.along[i] = u.along[i] + sine * u.length[j + b] * u.inverse[i];
      u.along[j + b] = u.along[j + b] + sine * u.length[i] * u.inverse[j + b];
      rest[b] = Real<T>(kPi) - angle;
    }
    for (i64 r = 0; r < d; ++r) {
      T sum = g[i * d + r];
      for (int b = 0; b < B; ++b) {
        sum = sum + rest[b] * x[(j + b) * d + r];
        g[(j + b) * d + r] = g[(j + b) * d + r] + rest[b] * x[i * d + r];
      }
      g[i * d + r] = sum;
    }
  }

  /// What teacher v does to B units from i.
  template <int B, class T, class Out, class In, class C>
  static OPTLAB_HD void pull_teacher(Out g, Units<T>& u, In x, i64 d, i64 i, const C* v) {
    const i64 begin = static_cast<i64>(v[1]), end = static_cast<i64>(v[2]);
    T dot[B]{}, rest[B];
    for (i64 r = begin; r < end; ++r)
      for (int b = 0; b < B; ++b) dot[b] = dot[b] + x[(i + b) * d + r] * v[3 + r];
    for (int b = 0; b < B; ++b) {
      T angle, sine;
      angle_of(dot[b] * u.inverse[i + b], angle, sine);
      u.along[i + b] = u.along[i + b] - sine * u.inverse[i + b] * v[0];
      rest[b] = (Real<T>(kPi) - angle) * v[0];
    }
    for (i64 r = begin; r < end; ++r)
      for (int b = 0; b < B; ++b) g[(i + b) * d + r] = g[(i + b) * d + r] - rest[b] * v[3 + r];
  }
};

}  // namespace optlab
