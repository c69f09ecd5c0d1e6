// Adam's moving averages kept in bytes: decoded into the cache, updated, encoded again; or, inside a study, kept as the
// numbers that the bytes stand for.
#pragma once
#include "pack.hpp"

namespace optlab {

/// Two averages of one segment: a byte for every element, a scale for every block.
struct QuantizedStates {
  unsigned char* codes[2] = {};
  float* scales[2] = {};
};

/// Which step of which run: what dithers its roundings, and addresses its noise.
struct StepAddress {
  u64 step = 0;
  u32 run = 0;
};

/// Adam's step on elements [from, to) of a segment whose first element has the number `first`; from is a multiple of a
/// block.
void update_quantized(float* x, const float* g, const QuantizedStates& states, i64 first, i64 from, i64 to,
                      const PackF* constants, u32 flags, StepAddress at);

/// Replaces both averages of a segment by what their bytes would stand for. Lanes are elements, or runs.
void round_elements(float* const* states, i64 first, i64 n, StepAddress at);
void round_runs(PackF* const* states, i64 first, i64 n, StepAddress at);

/// The bytes and scales of numbers that bytes stand for, exactly, and back.
void encode_exactly(const QuantizedStates& out, float* const* states, i64 n);
void decode(float* const* out, const QuantizedStates& states, i64 n);

}  // namespace optlab
