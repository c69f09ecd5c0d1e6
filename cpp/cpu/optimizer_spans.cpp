// The step where lanes are elements, in threads. Sums are found block by block, so that their order is that of the one
// tree whatever thread a block fell to.
#include <algorithm>

#include "environment.hpp"
#include "optimizer.hpp"
#include "optlab/loops/update.hpp"
#include "sums.hpp"
#include "threads.hpp"

namespace optlab {
namespace {

constexpr i64 kChunk = 4096;  // elements of one part: whole packs, whole blocks of a sum, and noise in the cache

/// Calls visit(span index, from, to) for parts of the spans that begin on multiples of kChunk.
template <class R, class Visit>
void each_part(const std::vector<Span<R>>& spans, int threads, Visit visit) {
  i64 total = 0;
  for (const Span<R>& span : spans) total += span.n;
  threads = worthwhile(threads, total);
  if (threads == 1) {
    const FloatEnvironment environment;
    for (std::size_t k = 0; k < spans.size(); ++k) visit(k, 0, spans[k].n);
    return;
  }
  std::vector<i64> first_chunk{0};
  for (const Span<R>& span : spans) first_chunk.push_back(first_chunk.back() + (span.n + kChunk - 1) / kChunk);
  parallel(first_chunk.back(), threads, [&](i64 begin, i64 end) {
    const auto after = std::upper_bound(first_chunk.begin(), first_chunk.end(), begin);
    for (auto k = static_cast<std::size_t>(after - first_chunk.begin() - 1); begin < end; ++k) {
      const i64 until = std::min(end, first_chunk[k + 1]);
      visit(k, (begin - first_chunk[k]) * kChunk, std::min(spans[k].n, (until - first_chunk[k]) * kChunk));
      begin = until;
    }
  });
}

/// Sums `width` numbers of every block of kSumBlock elements, found in parts, in the order of the one tree.
template <class R, int width>
class BlockedSums {
 public:
  explicit BlockedSums(const std::vector<Span<R>>& spans) {
    for (const Span<R>& span : spans) first_.push_back(first_.back() + (span.n + kSumBlock - 1) / kSumBlock);
    sums_.resize(static_cast<std::size_t>(first_.back() * width));
  }
  R* at(std::size_t span, i64 element) { return sums_.data() + (first_[span] + element / kSumBlock) * width; }
  R total(std::size_t span, int which) const {
    CarriedTotal<R> total;
    for (i64 block = first_[span]; block < first_[span + 1]; ++block)
      total.add(sums_[static_cast<std::size_t>(block * width + which)]);
    return total.result();
  }
  /// The sum over all spans.
  R total() const {
    CarriedTotal<R> all;
    for (std::size_t k = 0; k + 1 < first_.size(); ++k) all.add(total(k, 0));
    return all.result();
  }

 private:
  std::vector<i64> first_{0};
  std::vector<R> sums_;
};

template <class R, class Scaled>
void block_squares(R* out, const R* from, i64 n, Scaled scaled) {
  const auto add = [scaled](BlockSum<R>& sum, Pack<R> x) {
    x = scaled(x);
    sum.add(x * x);
  };
  for (i64 begin = 0; begin < n; begin += kSumBlock) {
    BlockSum<R> sum;
    const i64 end = std::min(n, begin + kSumBlock);
    i64 i = begin;
    for (; i + kLanes<R> <= end; i += kLanes<R>) add(sum, load(from + i));
    if (i < end) add(sum, load_part(from + i, end - i));
    *out++ = sum.fold();
  }
}

/// The norm over all spans of the numbers that stand at of(span).
template <class R, bool of_small, class Of>
ScaledNorm<R> norm_of_spans(const std::vector<Span<R>>& spans, int threads, Of of) {
  const FloatEnvironment environment;
  BlockedSums<R, 1> squares(spans);
  return scaled_norm<R, of_small>([&](auto scaled) {
    each_part(spans, threads, [&](std::size_t k, i64 from, i64 to) {
      block_squares(squares.at(k, from), of(spans[k]) + from, to - from, scaled);
    });
    return squares.total();
  });
}

template <class R>
void add_noise(R* x, i64 first, i64 n, const Noise<R>& noise, StepAddress of) {
  const DrawAddress at{noise.seed, kNoise, of.step};
  constexpr i64 lanes = kLanes<R>, block = lanes * Number<R>::words;
  alignas(kRegister) R drawn[kChunk + 2 * block];
  for (i64 done = 0; done < n; done += kChunk) {
    const i64 begin = first + done, count = std::min(kChunk, n - done), aligned = begin / block * block;
    draw_elements<R, Normal>(
        begin + count, of.run, at, [&](i64 p, Pack<R> z) { store(drawn + (p * lanes - aligned), z); }, aligned);
    const R* z = drawn + (begin - aligned);
    for (i64 i = 0; i < count; ++i) x[done + i] = x[done + i] + noise.sigma * z[i];
  }
}

}  // namespace

template <class R>
void Optimizer<R>::update(std::vector<Span<R>>& spans, StepAddress at, const Noise<R>& noise, int threads) const {
  if (clips()) clip(spans, threads);
  if (rule_->layerwise) measure(spans, threads);
  each_part(spans, threads, [&](std::size_t k, i64 from, i64 to) {
    const Span<R>& span = spans[k];
    const i64 piece = noise.sigma != R(0) ? kChunk : to - from;
    for (i64 begin = from; begin < to; begin += piece) {
      const i64 end = std::min(begin + piece, to);
      update_part(span, begin, end, at);
      if (noise.sigma != R(0)) add_noise(span.x + begin, span.first + begin, end - begin, noise, at);
    }
  });
}

template <class R>
u32 Optimizer<R>::flags_of(const Span<R>& span) const {
  return span.rare ? setup_.flags | kRare : setup_.flags;
}

template <class R>
void Optimizer<R>::update_part(const Span<R>& span, i64 from, i64 to, StepAddress at) const {
  const u32 flags = flags_of(span);
  if constexpr (sizeof(R) == 4)
    if (span.quantized.codes[0])
      return update_quantized(span.x, span.g, span.quantized, span.first, from, to, span.constants, flags, at);
  R* states[kMaxStates];
  for (std::size_t s = 0; s < rule_->states.size(); ++s) states[s] = span.states[s] + from;
  rule_->update(span.x + from, span.g + from, states, to - from, span.constants, flags);
  if constexpr (sizeof(R) == 4)
    if (setup_.quantized) round_elements(states, span.first + from, to - from, at);
}

template <class R>
void Optimizer<R>::clip(std::vector<Span<R>>& spans, int threads) const {
  const auto norm = norm_of_spans<R, false>(spans, threads, [](const Span<R>& span) { return span.g; });
  const FloatEnvironment environment;
  const Shortening<R> by = clip_factor(norm, static_cast<R>(setup_.clip_norm));
  for (Span<R>& span : spans) {
    span.constants[Around::scale] = span.constants[Around::scale] * splat(by.factor);
    span.constants[Around::unit] = splat(by.unit);
    span.rare = by.split();
  }
}

template <class R>
void Optimizer<R>::measure(std::vector<Span<R>>& spans, int threads) const {
  BlockedSums<R, 2> squares(spans);
  std::vector<R> scales(2 * spans.size(), R(1));
  const auto measure_all = [&](bool again) {
    each_part(spans, threads, [&](std::size_t k, i64 from, i64 to) {
      const Span<R>& span = spans[k];
      R* states[kMaxStates];
      for (std::size_t s = 0; s < rule_->states.size(); ++s) states[s] = span.states[s] + from;
      rule_->measure(squares.at(k, from), span.x + from, span.g + from, states, to - from, span.constants,
                     flags_of(span), again ? scales.data() + 2 * k : nullptr);
    });
  };
  measure_all(false);
  const FloatEnvironment environment;
  for (std::size_t k = 0; k < scales.size(); ++k)
    scales[k] = scale_of_squares(squares.total(k / 2, static_cast<int>(k % 2)));
  if (std::any_of(scales.begin(), scales.end(), [](R scale) { return scale != R(1); })) measure_all(true);
  for (std::size_t k = 0; k < spans.size(); ++k) {
    ScaledNorm<P> norms[2];
    for (int which = 0; which < 2; ++which)
      norms[which] = {splat(sqrt<R>(squares.total(k, which))), splat(scales[2 * k + static_cast<std::size_t>(which)])};
    rule_->adapt(norms, spans[k].constants);
    spans[k].rare = spans[k].rare || scales[2 * k] != R(1) || scales[2 * k + 1] != R(1);
  }
}

template <class R>
void Optimizer<R>::project(const std::vector<Span<R>>& spans, int threads) const {
  if (!projects()) return;
  const auto norm = norm_of_spans<R, true>(spans, threads, [](const Span<R>& span) { return span.x; });
  const FloatEnvironment environment;
  const Shortening<R> by = projection_factor(norm, static_cast<R>(setup_.max_norm));
  each_part(spans, threads, [&](std::size_t k, i64 from, i64 to) {
    for (i64 i = from; i < to; ++i) spans[k].x[i] = spans[k].x[i] * by.unit * by.factor;
  });
}

template <class R>
void Optimizer<R>::update_rows(Span<R> row, const i64* rows, i64 count, int threads) const {
  if (clips()) {
    std::vector<Span<R>> all{row};
    all[0].n *= count;
    clip(all, threads);
    std::copy_n(all[0].constants, rule_->constants, row.constants);
    row.rare = all[0].rare;
  }
  parallel(count, worthwhile(threads, row.n * count), [&](i64 begin, i64 end) {
    for (i64 k = begin; k < end; ++k) {
      R* states[kMaxStates];
      const i64 offset = rows[k] * row.n;
      for (std::size_t s = 0; s < rule_->states.size(); ++s) states[s] = row.states[s] + offset;
      rule_->update(row.x + offset, row.g + k * row.n, states, row.n, row.constants, flags_of(row));
    }
  });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace optlab
