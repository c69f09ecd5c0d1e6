"""The portable headers compile for the GPU, by NVRTC, on a machine without one. NVRTC opens no standard header."""

from __future__ import annotations

import pytest

from optlab.backends.gpu import compiler
from optlab.backends.gpu.sources import Kernel

pytestmark = pytest.mark.slow

SOURCE = """
#include "optlab/activations/list.hpp"
#include "optlab/dual.hpp"
#include "optlab/landscapes/list.hpp"
#include "optlab/losses/list.hpp"
#include "optlab/quantize.hpp"
#include "optlab/random.hpp"
#include "optlab/updates/list.hpp"
using namespace optlab;

template <class F, class R> __device__ void separable(R* x, const R* c) {
  x[0] = F::template value<R>(x[0], c) + F::template grad<R>(x[0], c);
  x[0] += F::template grad<Dual<R>>(Dual<R>{x[0], x[1]}, c).d;
}
template <class F, class R> __device__ void coupled(R* x, const R* c) {
  R g[4];
  Dual<R> in[2] = {{x[0], x[2]}, {x[1], x[3]}}, out[4];
  F::template grad<R>(g, x, 2, c);
  F::template grad<Dual<R>>(out, in, 2, c);
  x[0] = F::template value<R>(x, 2, c) + g[0] + out[1].d;
}
template <class F, class R> __device__ void matrix(R* x, const R* c) {
  R g[4], room[8];
  Dual<R> in[4] = {{x[0], x[1]}, {x[1], x[2]}, {x[2], x[3]}, {x[3], x[0]}}, out[4], more[8];
  F::template grad<R>(g, x, 4, c, room);
  F::template grad<Dual<R>>(out, in, 4, c, more);
  x[0] = F::template value<R>(x, 4, c, room) + g[0] + out[1].d + R(F::room(4, c));
}
template <class F, class R> __device__ void update(R* x, R* c, const double* p) {
  double constants[16];
  F::template prepare<double>(p, 3, constants);
  c[0] = constants[0];
  if constexpr (F::layerwise) {
    x[1] = measured<F, true, R>(x[0], x[1], x + 2, c, kRare);
    F::template adapt<R>({x[0], x[1]}, {x[2], x[3]}, c);
  }
  update_element<F, R>(x[0], x[1], x + 2, c, kMaximize | kWeightDecay | kGuard | kRare);
}
template <class F, class R> __device__ void activation(R* x) {
  x[0] = F::template value<R>(x[0], x[1]);
  x[1] = F::template slope<R>(x[0], x[1]) + F::template bend<R>(x[0], x[1]);
}
template <class R> __device__ void special(R* x) {
  const Dual<R> d = softplus(log1p(exp(Dual<R>{x[0], x[1]}))) * sigmoid(tanh(log(Dual<R>{x[1], x[0]})));
  x[0] = d.v + d.d;
}
template <class F, class R> __device__ void loss(R* x) {
  x[0] += F::template value<R>(x[0], x[1], x[2]) + F::template slope<R>(x[0], x[1], x[2]);
  x[0] += F::template curvature<R>(x[0], x[1], x[2]);
}
__device__ void quantize(float* x) {
  using First = FirstCode<float>;
  using Second = SecondCode<float>;
  const u32 hash = mixed(hash_seed<u32>(1, 2, 3));
  x[0] = First::decode(First::encode(x[0] * reciprocal(block_scale(x[1])), First::dither(hash)));
  x[1] = Second::decode(Second::encode(x[1], Second::dither(hash)));
}
template <class R> __device__ void every(R* x, R* c, const double* p) {
#define SEPARABLE(name, F) separable<F, R>(x, c);
  OPTLAB_SEPARABLE_LANDSCAPES(SEPARABLE)
#define COUPLED(name, F) coupled<F, R>(x, c);
  OPTLAB_COUPLED_LANDSCAPES(COUPLED)
#define MATRIX(name, F) matrix<F, R>(x, c);
  OPTLAB_MATRIX_LANDSCAPES(MATRIX)
#define UPDATE(name, ...) update<__VA_ARGS__, R>(x, c, p);
  OPTLAB_UPDATES(UPDATE)
#define ACTIVATION(name, F) activation<F, R>(x);
  OPTLAB_ACTIVATIONS(ACTIVATION)
  special<R>(x);
#define LOSS(name, F) loss<F, R>(x);
  OPTLAB_LOSSES(LOSS)
  Bits<R> words[4];
  RandomWords<R>::draw(words, 1, 2, 3, kNoise, 4);
  Normal::apply<R>(x, words);
  Uniform::apply<R>(x, words);
  x[0] = exp<R>(log<R>(x[0]));
}
__global__ void everything(float* x, float* c, double* y, double* d, const double* p) {
  every<float>(x, c, p);
  every<double>(y, d, p);
  quantize(x);
}
"""


class Text(Kernel):
    """A kernel whose text stands in the test."""

    def text(self) -> str:
        return self.file


def compiled(text: str) -> compiler.Compiled:
    try:
        return compiler.compile_kernel(Text(text, "everything"), "sm_90")
    except ImportError as error:
        pytest.skip(f"NVRTC cannot be loaded: {error}")


def test_every_rule_and_landscape_compiles_for_the_gpu():
    assert compiled(SOURCE).code


def test_a_standard_header_would_be_noticed():
    with pytest.raises(RuntimeError, match="cmath"):
        compiled("#include <cmath>\n" + SOURCE)
