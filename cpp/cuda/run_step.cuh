// How a run takes a step of its rule: the segments of its point, the constants, norms and states.
#pragma once
#include "cuda/study.cuh"
#include "optlab/quantize.hpp"

namespace optlab {

template <class Surface, class F, u32 options, u32 flags>
class RunStep {
 protected:
  using R = typename Surface::Real;
  static constexpr int dim = Surface::dim, constants_of_step = Around::constants + F::constants;
  static constexpr bool clips = (options & kClips) != 0, own_parameters = (options & kOwnParameters) != 0;
  /// A norm, or the factor that clips, may be out of range.
  static constexpr u32 own_flags = F::layerwise || clips ? flags | kRare : flags;
  static constexpr bool segmented = (options & kSegments) != 0, bytes = (options & kBytes) != 0;

  __device__ RunStep(const StudyTable<R>& study, i64 number) : s_(study), number_(number) { load_states(); }

  __device__ u32 run() const { return static_cast<u32>(s_.first_run + number_); }

  /// visit(i) for the coordinates of a segment.
  template <class Visit>
  __device__ void each_of(i64 segment, const Visit& visit) const {
    if constexpr (segmented)
      for (i64 i = begin_of(segment); i < s_.ends[segment]; ++i) visit(static_cast<int>(i));
    else
      each<R, dim>(visit);
  }
  __device__ i64 segments() const { return segmented ? s_.segments : 1; }
  __device__ i64 begin_of(i64 segment) const { return segmented && segment ? s_.ends[segment - 1] : 0; }
  __device__ i64 end_of(i64 segment) const { return segmented ? s_.ends[segment] : dim; }

  template <bool of_small>
  __device__ ScaledNorm<R> norm_of(const R* numbers) const {
    return scaled_norm<R, of_small>([&](auto scaled) {
      SquaresOfSegments<R> squares;
      for (i64 segment = 0; segment < segments(); ++segment) {
        each_of(segment, [&](int i) { squares.add(scaled(numbers[i])); });
        squares.end_segment();
      }
      return squares.result();
    });
  }

  __device__ void update(i64 rule_step, const R* constants, const double* factor) {
    Shortening<R> by{R(1), R(1)};
    if constexpr (clips) by = clip_factor<R>(norm_of<false>(g_), s_.numbers[kClipNorm]);
    for (i64 segment = 0; segment < segments(); ++segment) {
      R c[constants_of_step];
      constants_for(c, segment, rule_step, constants, factor);
      if constexpr (clips) c[Around::scale] = c[Around::scale] * by.factor, c[Around::unit] = by.unit;
      if constexpr (F::layerwise) adapt(c, segment);
      each_of(segment,
              [&](int i) { with_state(i, [&](R* own) { update_element<F, R>(x_[i], g_[i], own, c, own_flags); }); });
      if constexpr (bytes)
        each_block(segment, [&](i64 begin, i64 n, i64) {
          round_block<R>(states_[0] + begin, states_[1] + begin, begin, n, run(), static_cast<u64>(rule_step));
        });
    }
  }

  __device__ void constants_for(R* c, i64 segment, i64 rule_step, const R* constants, const double* factor) const {
    constexpr int count = Around::parameters + F::parameters;
    if constexpr (own_parameters) {
      double p[count], prepared[constants_of_step];
      for (int k = 0; k < count; ++k) p[k] = s_.parameters[(segment * count + k) * s_.runs + number_];
      p[Around::parameters] = p[Around::parameters] * *factor;
      prepare_constants<F, double>(p, rule_step, flags, prepared);
      for (int k = 0; k < constants_of_step; ++k) c[k] = static_cast<R>(prepared[k]);
    } else {
#pragma unroll
      for (int k = 0; k < constants_of_step; ++k) c[k] = constants[segment * kConstants + k];
    }
  }

  __device__ void adapt(R* c, i64 segment) {
    ScaledNorm<R> norms[2];
    layer_norms(
        norms,
        [&](R* sums, auto of_x, auto of_u) {
          Sum<R> sum_x, sum_u;
          each_of(segment, [&](int i) {
            R u;
            with_state(
                i, [&](R* own) { u = measured<F, decltype(of_u)::first_time, R>(x_[i], g_[i], own, c, own_flags); });
            const R w = of_x(x_[i]);
            u = of_u(u);
            sum_x.add(w * w);
            sum_u.add(u * u);
          });
          sums[0] = sum_x.result();
          sums[1] = sum_u.result();
        },
        true);
    F::template adapt<R>(norms[0], norms[1], c + Around::constants);
  }

  // ---------------------------------------------------------------- the states

  /// work(the states of coordinate i), which it may change.
  template <class Work>
  __device__ void with_state(int i, const Work& work) {
    R own[F::states + 1];  // + 1: a rule without state has no empty array
#pragma unroll
    for (int k = 0; k < F::states; ++k) own[k] = states_[k][i];
    work(own);
#pragma unroll
    for (int k = 0; k < F::states; ++k) states_[k][i] = own[k];
  }

  /// visit(begin, length, number among the scales) for the blocks of bytes of a segment.
  template <class Visit>
  __device__ void each_block(i64 segment, const Visit& visit) const {
    constexpr i64 length = kQuantizedBlock;
    i64 block = number_ * s_.blocks;
    for (i64 k = 0; k < segment; ++k) block += (end_of(k) - begin_of(k) + length - 1) / length;
    for (i64 begin = begin_of(segment); begin < end_of(segment); begin += length, ++block)
      visit(begin, end_of(segment) - begin < length ? end_of(segment) - begin : length, block);
  }
  template <class Visit>
  __device__ void each_block(const Visit& visit) const {
    for (i64 segment = 0; segment < segments(); ++segment) each_block(segment, visit);
  }
  __device__ unsigned char* codes(int k) const { return static_cast<unsigned char*>(s_.states[k]) + number_ * dim; }

  __device__ void load_states() {
    if constexpr (bytes)
      each_block([&](i64 begin, i64 n, i64 block) {
        const R scales[2] = {s_.scales[0][block], s_.scales[1][block]};
        for (i64 i = begin; i < begin + n; ++i) {
          states_[0][i] = FirstCode<R>::decode(codes(0)[i]) * scales[0];
          states_[1][i] = SecondCode<R>::decode(codes(1)[i]) * scales[1];
        }
      });
    else
      for (int k = 0; k < F::states; ++k)
        load_row<R, dim>(states_[k], static_cast<const R*>(s_.states[k]) + number_ * dim);
  }
  /// Bytes stand for the averages exactly: each step has rounded them so.
  __device__ void save_states() const {
    if constexpr (bytes)
      each_block([&](i64 begin, i64 n, i64 block) {
        R scales[2];
        find_scales<R>(scales, states_[0] + begin, states_[1] + begin, n);
        const R inverse[2] = {reciprocal<R>(scales[0]), reciprocal<R>(scales[1])};
        for (int k = 0; k < 2; ++k) s_.scales[k][block] = scales[k];
        for (i64 i = begin; i < begin + n; ++i) {
          codes(0)[i] =
              static_cast<unsigned char>(FirstCode<R>::encode(states_[0][i] * inverse[0], FirstCode<R>::nearest()));
          codes(1)[i] =
              static_cast<unsigned char>(SecondCode<R>::encode(states_[1][i] * inverse[1], SecondCode<R>::nearest()));
        }
      });
    else
      for (int k = 0; k < F::states; ++k) store_row<R, dim>(static_cast<R*>(s_.states[k]) + number_ * dim, states_[k]);
  }

  const StudyTable<R>& s_;
  const i64 number_;
  R x_[dim], g_[dim], states_[F::states + 1][dim];
};

}  // namespace optlab
