#include <algorithm>
#include <type_traits>
#include <vector>

#include "group_norm_rows.hpp"
#include "optlab/normalization.hpp"
#include "row_sums.hpp"

namespace optlab {
namespace {

/// The backward pass of the rows of one group and some samples. Gradients of gamma and beta are added to `dgamma` and
/// `dbeta`, which hold the group's channels.
template <class In>
class Backward {
 public:
  using R = typename In::Scalar;
  using T = typename In::Packed;
  R *dx, *dgamma, *dbeta;
  In dy, x, gamma, mean, rstd;
  NormShape s;

  void rows(i64 group, i64 begin, i64 end) const {
    const i64 ahead = s.groups * s.row() <= kNear ? s.groups * s.row() : 0;
    for (i64 sample = begin; sample < end; ++sample) {
      const i64 row = sample * s.groups + group, first = row * s.row();
      Row of{dy.from(first), x.from(first), In::everywhere(mean.at(row)), In::everywhere(rstd.at(row)), {}, {}, {},
             ahead};
      if (mean_is_far(mean.at(row), rstd.at(row))) of.drift = drift_of(of);
      s.positions == 1 ? sum_along(of) : sum_channels(of);
      write(of, dx + first);
    }
  }

 private:
  struct Row {
    In dy, x;
    T mean, rstd, mean_g, mean_gx, drift;
    i64 ahead;
    OPTLAB_HD T x_hat(i64 i, i64 m) const { return normalized(x.packed(i, m), mean, rstd) - drift; }
    OPTLAB_HD void means(const R* sums, R count) {
      mean_g = In::everywhere(In::joined(sums) / count);
      mean_gx = In::everywhere(In::joined(sums + In::numbers) / count);
    }
  };

  OPTLAB_HD T drift_of(const Row& of) const {
    R sums[In::numbers];
    sum_row<R, In::numbers>(sums, s.row(), [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
      const T x_hat = of.x_hat(i, m);
      for (int k = 0; k < In::numbers; ++k) t[k] = In::parts(x_hat, k);
    });
    return In::everywhere(In::joined(sums) / static_cast<R>(s.row()));
  }

  /// The sums of g(i) and g(i) x_hat over n elements from `begin` on.
  template <class G>
  OPTLAB_HD void sums_of(R* sums, const Row& of, i64 begin, i64 n, const G& g) const {
    sum_row<R, 2 * In::numbers>(sums, n, [&](Pack<R>* t, i64 i, i64 m) __attribute__((always_inline)) {
      of.x.prefetch(begin + i + of.ahead);
      of.dy.prefetch(begin + i + of.ahead);
      const T first = g(begin + i, m), second = first * of.x_hat(begin + i, m);
      for (int k = 0; k < In::numbers; ++k) {
        t[k] = In::parts(first, k);
        t[In::numbers + k] = In::parts(second, k);
      }
    });
  }

  OPTLAB_HD void sum_along(Row& of) const {
    R sums[2 * In::numbers];
    sums_of(sums, of, 0, s.channels,
            [&](i64 i, i64 m) __attribute__((always_inline)) { return gamma.packed(i, m) * of.dy.packed(i, m); });
    of.means(sums, static_cast<R>(s.row()));
  }

  /// A channel's sums are its own gradients, and times gamma its part in those of the row.
  OPTLAB_HD void sum_channels(Row& of) const {
    CarriedTotal<R> totals[2 * In::numbers];
    for (i64 c = 0; c < s.channels; ++c) {
      R sums[2 * In::numbers];
      sums_of(sums, of, c * s.positions, s.positions,
              [&](i64 i, i64 m) __attribute__((always_inline)) { return of.dy.packed(i, m); });
      const auto sum = In::joined(sums), sum_x = In::joined(sums + In::numbers);
      dbeta[c] = dbeta[c] + In::wanted(sum);
      dgamma[c] = dgamma[c] + In::wanted(sum_x);
      add(totals, gamma.at(c) * sum);
      add(totals + In::numbers, gamma.at(c) * sum_x);
    }
    R sums[2 * In::numbers];
    for (int k = 0; k < 2 * In::numbers; ++k) sums[k] = totals[k].result();
    of.means(sums, static_cast<R>(s.row()));
  }

  static OPTLAB_HD void add(CarriedTotal<R>* totals, R term) { totals[0].add(term); }
  static OPTLAB_HD void add(CarriedTotal<R>* totals, Dual<R> term) {
    totals[0].add(term.v);
    totals[1].add(term.d);
  }

  OPTLAB_HD void write(const Row& of, R* to) const {
    const bool past_cache = leaves_cache<R>(s);
    each_segment(s, gamma, gamma, [&](i64 begin, i64 n, auto scale, auto) __attribute__((always_inline)) {
      write_packs(to + begin, n, past_cache, [&](i64 i, i64 m) __attribute__((always_inline)) {
        const T d = of.dy.packed(begin + i, m), x_hat = of.x_hat(begin + i, m);
        if constexpr (std::is_same_v<decltype(scale), In>) {
          store_some(dbeta + i, Pack<R>(load_some(dbeta + i, m) + In::wanted(d)), m);
          store_some(dgamma + i, Pack<R>(load_some(dgamma + i, m) + In::wanted(d * x_hat)), m);
        }
        return In::wanted(normalization_gradient<T>(scale.packed(i, m) * d, x_hat, of.mean_g, of.mean_gx, of.rstd));
      });
    });
  }
};

/// Samples of one part of the sums over the batch: a function of the shape, so that threads never change a bit. So many
/// that the parts' sums are small beside x and a part is worth a thread, so few that their sum stays accurate.
i64 samples_per_part(const NormShape& s) {
  const i64 sample = s.groups * s.row();
  const i64 worth = std::max({s.batch / 64, 16 / s.positions, (1 << 14) / sample});
  return std::clamp<i64>(worth, 1, 256);
}

template <class R>
void add_parts(R* to, const R* parts, i64 count, i64 n) {
  each_pack<R>(n, [&](i64 i, i64 m) {
    CarriedTotal<Pack<R>> total;
    for (i64 part = 0; part < count; ++part) total.add(load_some(parts + part * n + i, m));
    store_some(to + i, total.result(), m);
  });
}

}  // namespace

template <class In, class R>
void group_norm_backward(R* dx, R* dgamma, R* dbeta, In dy, In x, In gamma, In mean, In rstd, const NormShape& s,
                         int threads) {
  const i64 size = samples_per_part(s), parts = (s.batch + size - 1) / size, all = s.groups * s.channels;
  std::vector<R> sums(static_cast<std::size_t>(2 * parts * all));
  R *gammas = sums.data(), *betas = gammas + parts * all;
  parallel(parts * s.groups, threads_for(s, threads), [&](i64 begin, i64 end) {
    for (i64 task = begin; task < end; ++task) {
      const i64 part = task / s.groups, group = task % s.groups, channel = group * s.channels;
      const i64 offset = part * all + channel;
      const Backward<In> of{dx, gammas + offset, betas + offset, dy, x, gamma.from(channel), mean, rstd, s};
      of.rows(group, part * size, std::min(s.batch, (part + 1) * size));
    }
    end_of_stream();
  });
  add_parts(dgamma, gammas, parts, all);
  add_parts(dbeta, betas, parts, all);
}

#define OPTLAB_GROUP_NORM(R)                                                                                        \
  template void group_norm_backward(R*, R*, R*, Plain<R>, Plain<R>, Plain<R>, Plain<R>, Plain<R>, const NormShape&, \
                                    int);                                                                           \
  template void group_norm_backward(R*, R*, R*, WithRate<R>, WithRate<R>, WithRate<R>, WithRate<R>, WithRate<R>,    \
                                    const NormShape&, int);
OPTLAB_GROUP_NORM(float)
OPTLAB_GROUP_NORM(double)

}  // namespace optlab
