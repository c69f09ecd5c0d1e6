// Random arrays, rows of runs.
#pragma once
#include "optlab/portable.hpp"

namespace optlab {

struct DrawAddress;
enum class Distribution { uniform, normal, ball };

/// out is (runs, dim); run r of the array is the run first_run + r of the address.
template <class R>
void draw(R* out, i64 runs, i64 dim, Distribution kind, R radius, u32 first_run, DrawAddress at, int threads);

/// out is (runs, count): sample numbers below `high`, with replacement.
void draw_indices(i64* out, i64 runs, i64 count, u32 high, u32 first_run, DrawAddress at);

/// out is (runs, count): each row a random order of 0 .. count - 1.
void draw_permutations(i64* out, i64 runs, i64 count, u32 first_run, DrawAddress at);

}  // namespace optlab
