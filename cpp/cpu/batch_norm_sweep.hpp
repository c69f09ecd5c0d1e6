// The way of batch normalization through a matrix: reduce the rows of each column, finish the columns' numbers, write.
// Columns are shared among threads in blocks that stay in cache from the reduction to the writing. Where columns are
// few, rows are shared, and a narrow matrix is read with 16 rows side by side. Chunks of rows are joined in one fixed
// tree, of which threads take whole branches, so that none of this shows in a bit of the result.
#pragma once
#include <algorithm>
#include <memory>

#include "batch_norm_kernels.hpp"
#include "environment.hpp"
#include "threads.hpp"

namespace optlab {

inline constexpr i64 kFolds = 16, kNarrow = 64;

/// How many rows are read side by side; it depends on the shape only, as the order of the sums does.
inline i64 folds_of(i64 rows, i64 features) {
  return features < kNarrow && rows >= kFolds * kFolds ? kFolds : 1;
}

/// No reduction: the numbers of the columns are known.
template <class R>
struct Known {
  using Real = R;
  static constexpr int quantities = 0;
};

template <class Reduce, class Output, class Finish>
class Sweep {
 public:
  using R = typename Output::Real;

  Sweep(const Reduce& reduce, const Output& output, const Finish& finish, i64 rows, i64 features, i64 stride,
        int threads)
      : reduce_(reduce),
        output_(output),
        finish_(finish),
        features_(features),
        folds_(stride == features ? folds_of(rows, features) : 1),
        stride_(stride * folds_) {
    rows_ = rows / folds_;
    rest_ = rows - rows_ * folds_;
    chunks_ = (rows_ + kChunkRows - 1) / kChunkRows;
    threads_ = worthwhile(threads, rows * features);
    const i64 past = past_line(output.out, stride_);
    // A ragged group costs as much as a whole one, and unaligned groups cost little: lines matter to streams alone.
    stream_ = (past == 0 || (past > 0 && columns() >= 4 * kBlock)) &&
              rows * features * static_cast<i64>(sizeof(R)) >= kStreamBytes;
    blocks_ = {columns(), kBlock, stream_ ? past : 0};
    choose_parts();
  }

  void run() {
    sums_.reset(new R[static_cast<std::size_t>(parts() * Reduce::quantities * columns())]);
    coefficients_.reset(new R[static_cast<std::size_t>(Output::coefficients * columns())]);
    if (parts() == 1 && folds_ == 1)
      parallel(blocks_.count(), threads_, [this](i64 begin, i64 end) {
        for (i64 k = begin; k < end; ++k) {
          reduce(k, 0);
          finish(blocks_.begin(k), blocks_.end(k));
          write(k, 0);
        }
        end_of_stream();
      });
    else
      in_parts();
  }

 private:
  static constexpr int quantities = Reduce::quantities;
  i64 columns() const { return features_ * folds_; }
  i64 parts() const { return (chunks_ + part_chunks_ - 1) / part_chunks_; }
  i64 rows_in(i64 first_chunk, i64 count) const {
    return std::min(rows_, (first_chunk + count) * kChunkRows) - first_chunk * kChunkRows;
  }

  /// Rows are shared where blocks of columns are few and do not come out even.
  void choose_parts() {
    part_chunks_ = chunks_;
    const i64 blocks = blocks_.count();
    if (blocks >= 4 * threads_ || (blocks % threads_ == 0 && folds_ == 1)) return;
    if (chunks_ >= 4 * threads_)
      for (part_chunks_ = 1; chunks_ > 8 * threads_ * part_chunks_;) part_chunks_ *= 2;
    else
      blocks_.width = kBlock / 2;
  }

  /// The quantities of a branch of the tree.
  void branch(i64 block, i64 first, i64 count, R* out, i64 spacing) const {
    const i64 begin = blocks_.begin(block), end = blocks_.end(block);
    if (count == 1)
      return for_groups<Reduce::most, false, R>(begin, end, blocks_.past_of(block), [&](auto group, i64 column) {
        reduce_.chunk(group, first * kChunkRows * stride_ + column, stride_, rows_in(first, 1), column,
                      out + column - begin, spacing);
      });
    R right[quantities * kWidest];
    i64 half = 1;
    while (2 * half < count) half *= 2;
    branch(block, first, half, out, spacing);
    branch(block, first + half, count - half, right, kWidest);
    Reduce::join(out, spacing, half * kChunkRows, right, kWidest, rows_in(first + half, count - half), end - begin);
  }

  void reduce(i64 block, i64 part) const {
    if constexpr (quantities > 0) {
      const i64 first = part * part_chunks_;
      branch(block, first, std::min(part_chunks_, chunks_ - first),
             sums_.get() + part * quantities * columns() + blocks_.begin(block), columns());
    }
  }

  void finish(i64 begin, i64 end) const { finish_(begin, end, sums_.get(), coefficients_.get(), columns()); }

  void write(i64 block, i64 part) const {
    if (stream_)
      write_as<true>(block, part);
    else
      write_as<false>(block, part);
  }
  template <bool stream>
  void write_as(i64 block, i64 part) const {
    const i64 first = part * part_chunks_, rows = rows_in(first, part_chunks_);
    for_groups<Output::most, stream, R>(blocks_.begin(block), blocks_.end(block), blocks_.past_of(block),
                                        [&](auto group, i64 column) {
                                          output_.rows(group, first * kChunkRows * stride_ + column, stride_, rows,
                                                       coefficients_.get() + column, columns());
                                        });
  }

  template <class Work>
  void each_part(Work work) const {
    parallel(parts(), threads_, [&](i64 begin, i64 end) {
      for (i64 part = begin; part < end; ++part)
        for (i64 k = 0; k < blocks_.count(); ++k) work(k, part);
      end_of_stream();
    });
  }

  void in_parts() {
    if constexpr (quantities > 0) {
      each_part([this](i64 block, i64 part) { reduce(block, part); });
      join_parts(0, parts());
      join_folds();
    }
    finish(0, features_);
    for (int q = 0; q < Output::coefficients; ++q)
      for (i64 c = features_; c < columns(); ++c)
        coefficients_[q * columns() + c] = coefficients_[q * columns() + c - features_];
    each_part([this](i64 block, i64 part) { write(block, part); });
    for_rest([this](auto group, i64 column) {
      output_.rows(group, rows_ * columns() + column, features_, rest_, coefficients_.get() + column, columns());
    });
  }

  /// The same tree over the parts.
  void join_parts(i64 first, i64 count) {
    if (count == 1) return;
    i64 half = 1;
    while (2 * half < count) half *= 2;
    join_parts(first, half);
    join_parts(first + half, count - half);
    R* out = sums_.get() + first * quantities * columns();
    Reduce::join(out, columns(), half * part_chunks_ * kChunkRows, out + half * quantities * columns(), columns(),
                 rows_in((first + half) * part_chunks_, (count - half) * part_chunks_), columns());
  }

  /// The rows that were read side by side, and those that were left over.
  void join_folds() {
    R* all = sums_.get();
    for (i64 half = folds_ / 2, rows = rows_; half > 0; half /= 2, rows *= 2)
      Reduce::join(all, columns(), rows, all + half * features_, columns(), rows, half * features_);
    R rest[quantities * kNarrow];
    for_rest([&](auto group, i64 column) {
      reduce_.chunk(group, rows_ * columns() + column, features_, rest_, column, rest + column, kNarrow);
    });
    if (rest_) Reduce::join(all, columns(), rows_ * folds_, rest, kNarrow, rest_, features_);
  }
  template <class Body>
  void for_rest(Body body) const {
    if (rest_) for_groups<kNarrow / 16, false, R>(0, features_, 0, body);  // 16 is the most lanes there are
  }

  const Reduce& reduce_;
  const Output& output_;
  const Finish& finish_;
  i64 features_, folds_, stride_, rows_, rest_, chunks_, part_chunks_ = 1;
  int threads_;
  Blocks blocks_;
  bool stream_;
  std::unique_ptr<R[]> sums_, coefficients_;
};

/// finish(begin, end, quantities, coefficients, spacing) turns the sums of these columns into what output needs. Rows
/// of the memory are `stride` apart, which is more than `features` where only some columns of a matrix are meant.
template <class Reduce, class Output, class Finish>
void sweep(const Reduce& reduce, const Output& output, const Finish& finish, i64 rows, i64 features, i64 stride,
           int threads) {
  const FloatEnvironment environment;
  Sweep<Reduce, Output, Finish>(reduce, output, finish, rows, features, stride, threads).run();
}
template <class Reduce, class Output, class Finish>
void sweep(const Reduce& reduce, const Output& output, const Finish& finish, i64 rows, i64 features, int threads) {
  sweep(reduce, output, finish, rows, features, features, threads);
}

}  // namespace optlab
