// The samples of a batch with runs in the lanes: each lane its own, or all the same.
#pragma once
#include "cross_entropy.hpp"
#include "network.hpp"
#include "transpose.hpp"

namespace optlab {

template <class R>
class LaneSamples {
 public:
  using P = Pack<R>;
  LaneSamples(const NetworkData<R>& data, const Batch& batch, i64 classes)
      : data_(data), batch_(batch), classes_(classes) {}

  i64 count() const { return batch_.index ? batch_.size : data_.samples; }

  /// Rows first to first + n of a matrix with one for every sample.
  void gather(P* to, const R* matrix, i64 wide, i64 first, i64 n) const {
    for (i64 i = 0; i < n; ++i, to += wide)
      if (shared())
        for (i64 j = 0; j < wide; ++j) to[j] = splat(matrix[sample(first + i, 0) * wide + j]);
      else
        gather_row(to, matrix, wide, first + i);
  }

  Bits<P> label(i64 i) const {
    if (shared()) return Bits<P>{} + label_of(i, 0);
    Bits<P> labels{};
    for (int lane = 0; lane < kLanes<R>; ++lane) labels[lane] = label_of(i, lane);
    return labels;
  }

 private:
  bool shared() const { return !batch_.index || batch_.lane_step == 0; }
  i64 sample(i64 i, int lane) const { return batch_.index ? batch_.index[lane * batch_.lane_step + i] : i; }

  void gather_row(P* to, const R* matrix, i64 wide, i64 i) const {
    constexpr i64 group = kGroup<R>;
    const R* rows[kLanes<R>];
    for (int lane = 0; lane < kLanes<R>; ++lane) rows[lane] = matrix + sample(i, lane) * wide;
    i64 j = 0;
    for (; j + group <= wide; j += group) {
      P column[group];
      load_turned<R>(column, [&](i64 lane) { return load_group(rows[lane] + j, group); });
      std::copy_n(column, group, to + j);
    }
    for (; j < wide; ++j)
      for (int lane = 0; lane < kLanes<R>; ++lane) to[j][lane] = rows[lane][j];
  }

  Bits<R> label_of(i64 i, int lane) const {
    return static_cast<Bits<R>>(label_at(data_.labels, sample(i, lane), classes_));
  }

  const NetworkData<R>& data_;
  const Batch& batch_;
  i64 classes_;
};

}  // namespace optlab
