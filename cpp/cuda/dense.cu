// What follows an affine map, y = mask f(z + b): bias, activation f and dropout. All derivatives are computed from y,
// so z is never kept, and the mask is drawn again from its address (cpu/follow.hpp, cpu/dropout.hpp).
#include "cuda/columns.cuh"
#include "cuda/names.cuh"

namespace optlab {
namespace dense {

inline constexpr int kUnit =
    4;  ///< elements of a Philox block in the layout of float, which masks have for double, too

/// Dropout and the activation's parameter. The threshold is -1 without dropout.
template <class R>
struct Follow {
  R parameter, keep_scale, kept;
  i64 threshold, run, stream;
  u64 seed;
  i64 base;  ///< the number of the first element among all that are drawn at this address
  StepCounter counter;

  __device__ bool drops() const { return threshold >= 0; }
  __device__ void draw(u32* words, i64 block) const {
    RandomWords<float>::draw(words, static_cast<u32>(block), static_cast<u32>(run), static_cast<u64>(counter.step()),
                             static_cast<u32>(stream), seed);
  }
  __device__ R factor(u32 word) const { return static_cast<i64>(word >> 8) >= threshold ? keep_scale : R(0); }

  /// The factors of `count` elements from `element` on, which may lie in two blocks.
  template <int count>
  __device__ void mask(R* factors, i64 of_array) const {
    const i64 element = base + of_array;
    static_assert(count <= kUnit, "more would lie in three blocks");
    u32 words[2 * kUnit];
    const int offset = static_cast<int>(element % kUnit);
    draw(words, element / kUnit);
    if (offset + count > kUnit) draw(words + kUnit, element / kUnit + 1);
#pragma unroll
    for (int l = 0; l < count; ++l) {
      u32 word = words[l];  // selected, not indexed: an index would put the words into local memory
#pragma unroll
      for (int k = 1; k < kUnit; ++k) word = offset == k ? words[l + k] : word;
      factors[l] = factor(word);
    }
  }
};

/// f(z) where it was kept.
template <class F, class R>
__device__ R activated(const Follow<R>& of, R y) {
  return of.drops() ? unmasked(y, of.kept, F::template low<R>(of.parameter), F::template high<R>(of.parameter)) : y;
}
template <class F, class R>
__device__ R slope(const Follow<R>& of, R y) {
  return F::template slope<R>(activated<F>(of, y), of.parameter);
}
/// dz_dot = mask (f'(z) dy_dot + f''(z) z_dot dy), of masked dy and dy_dot.
template <class F, class R>
__device__ R bent(const Follow<R>& of, R dy_dot, R y_dot, R dy, R y) {
  const R at = activated<F>(of, y), straight = dy_dot * F::template slope<R>(at, of.parameter);
  if constexpr (F::piecewise_linear) return straight;
  const R dot = of.drops() ? y_dot * of.kept : y_dot;
  return straight + (dy * F::template bend<R>(at, of.parameter)) * dot;
}

/// The elements of a flat array in units of kUnit, each thread one at a time: visit(i, access, factors) of one vector.
template <class R, class Visit>
__device__ void each_vector(i64 n, bool vectors, const Follow<R>& of, Visit visit) {
  constexpr int lanes = Vector<R>::lanes;
  const i64 stride = static_cast<i64>(gridDim.x) * kThreads * kUnit;
  for (i64 i = (static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x) * kUnit; i < n; i += stride) {
    R factors[kUnit];
    if (of.drops()) of.template mask<kUnit>(factors, i);
#pragma unroll
    for (int part = 0; part < kUnit; part += lanes) {
      const i64 left = n - i - part;
      if (left > 0) visit(i + part, Access{vectors && left >= lanes, left < lanes ? int(left) : lanes}, factors + part);
    }
  }
}

/// The bias of `lanes` elements from i on.
template <class R>
__device__ Lanes<R> bias_of(const R* bias, i64 i, i64 columns) {
  Lanes<R> out{};
  if (!bias) return out;
  i64 column = i % columns;
#pragma unroll
  for (int l = 0; l < Lanes<R>::count; ++l) {
    out.at[l] = bias[column];
    if (++column == columns) column = 0;
  }
  return out;
}

/// dz = mask f'(z) dy, written as its columns are summed.
template <class F, class Scalar>
struct Backward {
  using R = Scalar;
  static constexpr int quantities = 1, batch = 4;
  static constexpr bool writes = false;
  using Sums = Numbers<R, 1>;
  using Coefficients = Numbers<R, 1>;
  struct Arrays {
    R *dz, *dbias;
    const R *dy, *y;
    Follow<R> follow;
  };
  struct In {
    Lanes<R> dy, y;
  };
  const Arrays& of;
  __device__ Backward(const Arrays& arrays, const Place&) : of(arrays) {}
  static OPTLAB_HD bool vectors(const Arrays& a, i64 columns) { return aligned_rows(columns, a.dz, a.dy, a.y); }
  template <bool once>
  OPTLAB_HD In read(i64 row, const Place& place) const {
    return {load_lanes<once>(of.dy + place.at(row), place), load_lanes<once>(of.y + place.at(row), place)};
  }
  __device__ void add(Sums& sums, const In* in, i64 row, int count, const Place& place) const {
#pragma unroll
    for (int j = 0; j < batch; ++j) {
      if (j >= count) break;
      const i64 at = place.at(row + j * place.height);
      R factors[kUnit];
      if (of.follow.drops()) of.follow.template mask<Lanes<R>::count>(factors, at);
      Lanes<R> dz;
#pragma unroll
      for (int l = 0; l < Lanes<R>::count; ++l) {
        const R dy = of.follow.drops() ? in[j].dy.at[l] * factors[l] : in[j].dy.at[l];
        dz.at[l] = dy * slope<F>(of.follow, in[j].y.at[l]);
        sums.at[0][l] = sums.at[0][l] + dz.at[l];
      }
      store_lanes<false>(of.dz + at, dz, place);
    }
  }
  static OPTLAB_HD void join(Sums& a, const Sums& b) { a.add(b); }
  OPTLAB_HD void finish(const Sums& sums, int l, i64 column, Coefficients&) const { of.dbias[column] = sums.at[0][l]; }
};

/// dz_dot with its columns' sums, and dz.
template <class F, class Scalar>
struct BackwardTangent {
  using R = Scalar;
  static constexpr int quantities = 1, batch = 2;
  static constexpr bool writes = false;
  using Sums = Numbers<R, 1>;
  using Coefficients = Numbers<R, 1>;
  struct Arrays {
    R *dz_dot, *dz, *dbias_dot;
    const R *dy_dot, *y_dot, *dy, *y;
    Follow<R> follow;
  };
  struct In {
    Lanes<R> dy_dot, y_dot, dy, y;
  };
  const Arrays& of;
  __device__ BackwardTangent(const Arrays& arrays, const Place&) : of(arrays) {}
  static OPTLAB_HD bool vectors(const Arrays& a, i64 columns) {
    return aligned_rows(columns, a.dz_dot, a.dz, a.dy_dot, a.y_dot, a.dy, a.y);
  }
  template <bool once>
  OPTLAB_HD In read(i64 row, const Place& place) const {
    const i64 at = place.at(row);
    return {load_lanes<once>(of.dy_dot + at, place), load_lanes<once>(of.y_dot + at, place),
            load_lanes<once>(of.dy + at, place), load_lanes<once>(of.y + at, place)};
  }
  __device__ void add(Sums& sums, const In* in, i64 row, int count, const Place& place) const {
#pragma unroll
    for (int j = 0; j < batch; ++j) {
      if (j >= count) break;
      const i64 at = place.at(row + j * place.height);
      R factors[kUnit];
      if (of.follow.drops()) of.follow.template mask<Lanes<R>::count>(factors, at);
      Lanes<R> dz, dz_dot;
#pragma unroll
      for (int l = 0; l < Lanes<R>::count; ++l) {
        R dy = in[j].dy.at[l], dy_dot = in[j].dy_dot.at[l];
        if (of.follow.drops()) {
          dy = dy * factors[l];
          dy_dot = dy_dot * factors[l];
        }
        dz.at[l] = dy * slope<F>(of.follow, in[j].y.at[l]);
        dz_dot.at[l] = bent<F>(of.follow, dy_dot, in[j].y_dot.at[l], dy, in[j].y.at[l]);
        sums.at[0][l] = sums.at[0][l] + dz_dot.at[l];
      }
      store_lanes<false>(of.dz + at, dz, place);
      store_lanes<false>(of.dz_dot + at, dz_dot, place);
    }
  }
  static OPTLAB_HD void join(Sums& a, const Sums& b) { a.add(b); }
  OPTLAB_HD void finish(const Sums& sums, int l, i64 column, Coefficients&) const {
    of.dbias_dot[column] = sums.at[0][l];
  }
};

}  // namespace dense

#define OPTLAB_FOLLOW_ARGUMENTS                                                                              \
  R parameter, R keep_scale, R kept, i64 threshold, i64 run, i64 stream, u64 seed, i64 base, i64 first_step, \
      const i64 *graph
#define OPTLAB_FOLLOW \
  (dense::Follow<R>{parameter, keep_scale, kept, threshold, run, stream, seed, base, StepCounter{first_step, graph}})

/// y = mask f(z + bias) of a flat array; y may be z.
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    dense_forward(R* y, const R* z, const R* bias, i64 n, i64 columns, OPTLAB_FOLLOW_ARGUMENTS) {
  const auto of = OPTLAB_FOLLOW;
  dense::each_vector<R>(n, aligned(y) && aligned(z), of, [&](i64 i, Access as, const R* factors) {
    Lanes<R> at = load_lanes<false>(z + i, as);
    const Lanes<R> shift = dense::bias_of(bias, i, columns);
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) {
      at.at[l] = F::template value<R>(bias ? at.at[l] + shift.at[l] : at.at[l], of.parameter);
      if (of.drops()) at.at[l] = at.at[l] * factors[l];
    }
    store_lanes<false>(y + i, at, as);
  });
}

/// out = mask f'(z) (dot + bias_dot): a direction on its way forward, or a gradient on its way back; out may be dot.
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    dense_slope(R* out, const R* dot, const R* bias_dot, const R* y, i64 n, i64 columns, OPTLAB_FOLLOW_ARGUMENTS) {
  const auto of = OPTLAB_FOLLOW;
  dense::each_vector<R>(n, aligned(out) && aligned(dot) && aligned(y), of, [&](i64 i, Access as, const R* factors) {
    Lanes<R> at = load_lanes<false>(dot + i, as);
    const Lanes<R> value = load_lanes<false>(y + i, as), shift = dense::bias_of(bias_dot, i, columns);
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) {
      if (bias_dot) at.at[l] = at.at[l] + shift.at[l];
      at.at[l] = at.at[l] * dense::slope<F>(of, value.at[l]);
      if (of.drops()) at.at[l] = at.at[l] * factors[l];
    }
    store_lanes<false>(out + i, at, as);
  });
}

/// dz_dot = mask (f'(z) dy_dot + f''(z) z_dot dy)
template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    dense_bend(R* dz_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y, i64 n, OPTLAB_FOLLOW_ARGUMENTS) {
  const auto of = OPTLAB_FOLLOW;
  const bool vectors = aligned(dz_dot) && aligned(dy_dot) && aligned(y_dot) && aligned(dy) && aligned(y);
  dense::each_vector<R>(n, vectors, of, [&](i64 i, Access as, const R* factors) {
    const Lanes<R> turn = load_lanes<false>(dy_dot + i, as), move = load_lanes<false>(y_dot + i, as);
    const Lanes<R> slope = load_lanes<false>(dy + i, as), value = load_lanes<false>(y + i, as);
    Lanes<R> out;
#pragma unroll
    for (int l = 0; l < Lanes<R>::count; ++l) {
      out.at[l] = dense::bent<F>(of, turn.at[l], move.at[l], slope.at[l], value.at[l]);
      if (of.drops()) out.at[l] = out.at[l] * factors[l];
    }
    store_lanes<false>(dz_dot + i, out, as);
  });
}

template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    dense_backward(R* dz, R* dbias, const R* dy, const R* y, OPTLAB_FOLLOW_ARGUMENTS, OPTLAB_LAUNCH_ARGUMENTS_OF(R)) {
  column_pass<dense::Backward<F, R>>({dz, dbias, dy, y, OPTLAB_FOLLOW}, OPTLAB_LAUNCH);
}

template <class F, class R>
__global__ void __launch_bounds__(kThreads)
    dense_backward_tangent(R* dz_dot, R* dz, R* dbias_dot, const R* dy_dot, const R* y_dot, const R* dy, const R* y,
                           OPTLAB_FOLLOW_ARGUMENTS, OPTLAB_LAUNCH_ARGUMENTS_OF(R)) {
  column_pass<dense::BackwardTangent<F, R>>({dz_dot, dz, dbias_dot, dy_dot, y_dot, dy, y, OPTLAB_FOLLOW},
                                            OPTLAB_LAUNCH);
}

}  // namespace optlab
