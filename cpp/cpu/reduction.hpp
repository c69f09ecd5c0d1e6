// How the terms of a loss become its value, with the same bits for every number of threads.
#pragma once
#include <algorithm>
#include <vector>

#include "sums.hpp"
#include "threads.hpp"

namespace optlab {

/// Each term for itself, or their sum over the divisor.
struct Reduction {
  bool each;
  double divisor;
  /// What a term's derivative is multiplied by.
  template <class R>
  R weight() const {
    return static_cast<R>(1.0 / divisor);
  }
};

/// What reduce_chunks adds up, term by term.
template <class T>
class ChunkedSum {
 public:
  explicit ChunkedSum(i64 size) : size_(size) {}
  OPTLAB_HD void add(T term) {
    chunk_.add(term);
    if (++count_ == size_) fold();
  }
  OPTLAB_HD T result() {
    if (count_) fold();
    return total_.result();
  }

 private:
  OPTLAB_HD void fold() {
    total_.add(chunk_.result());
    chunk_ = {};
    count_ = 0;
  }
  i64 size_, count_ = 0;
  Sum<T> chunk_, total_;
};

/// Cuts [0, count) into fixed chunks, has chunk(begin, end) return the sum of one (whatever, where `each` term stands
/// for itself), and writes the reduced total to loss.
template <class R, class Chunk>
void reduce_chunks(R* loss, Reduction how, i64 count, i64 size, int threads, Chunk chunk) {
  const i64 chunks = (count + size - 1) / size;
  std::vector<R> sums(static_cast<std::size_t>(chunks));
  parallel(chunks, threads, [&](i64 begin, i64 end) {
    for (i64 k = begin; k < end; ++k)
      sums[static_cast<std::size_t>(k)] = chunk(k * size, std::min(count, (k + 1) * size));
  });
  if (how.each) return;
  Sum<R> total;
  for (const R sum : sums) total.add(sum);
  *loss = total.result() / static_cast<R>(how.divisor);
}

}  // namespace optlab
