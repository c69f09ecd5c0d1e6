// Weight normalization: w = g v / |v| for every row, the weights into one output.
#pragma once
#include "streams.hpp"

namespace optlab {

/// v is (outputs, inputs), g and norm are (outputs,).
template <class R>
void weight_norm_forward(R* w, R* norm, const R* v, const R* g, i64 outputs, i64 inputs, int threads);

template <class R>
void weight_norm_forward_tangent(R* w, R* norm, WithRate<R> v, WithRate<R> g, const R* known_norm, i64 outputs,
                                 i64 inputs, int threads);

/// dv and dg of Plain arrays, their rates of arrays WithRate.
template <class In, class R = typename In::Scalar>
void weight_norm_backward(R* dv, R* dg, In dw, In v, In g, In norm, i64 outputs, i64 inputs, int threads);

}  // namespace optlab
