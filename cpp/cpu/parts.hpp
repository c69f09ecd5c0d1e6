// Cutting a length into parts that are as even as can be.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

struct Range {
  i64 begin, end;
  i64 size() const { return end - begin; }
};

/// How many parts of at most so many it takes.
inline i64 parts_of(i64 length, i64 most) {
  return (length + most - 1) / most;
}

/// The step of at most `most` that covers a length in as many steps, and leaves the last one least behind.
inline i64 even_step(i64 length, i64 most) {
  return parts_of(length, parts_of(length, most));
}

/// Part `number` of so many.
inline Range part(i64 length, i64 parts, i64 number) {
  const i64 small = length / parts, rest = length % parts;
  const i64 begin = number * small + (number < rest ? number : rest);
  return {begin, begin + small + (number < rest)};
}

}  // namespace optlab
