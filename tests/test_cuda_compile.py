"""The portable headers compile for the GPU, by NVRTC, on a machine without one. NVRTC opens no standard header."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[1] / "cpp" / "include"

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
    x[1] = F::template measure<R>(x[0], x[1], x + 2, c);
    F::template adapt<R>(x[0], x[1], c);
  }
  update_element<F, R>(x[0], x[1], x + 2, c, kMaximize | kWeightDecay | kGuard);
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
#define UPDATE(name, F, states, parameters) update<F, R>(x, c, p);
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
extern "C" __global__ void all(float* x, float* c, double* y, double* d, const double* p) {
  every<float>(x, c, p);
  every<double>(y, d, p);
  quantize(x);
}
"""


def nvrtc() -> ctypes.CDLL:
    """The library of the nvidia-cuda-nvrtc package, or the system's."""
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations if spec and spec.submodule_search_locations else []:
        for library in sorted(Path(root).glob("*/lib/libnvrtc.so.*")):
            for builtins in library.parent.glob("libnvrtc-builtins.so.*"):
                ctypes.CDLL(str(builtins))  # loaded first, since NVRTC looks for it by its bare name
            return ctypes.CDLL(str(library))
    try:
        return ctypes.CDLL("libnvrtc.so")
    except OSError:
        pytest.skip("NVRTC is not installed (pip install nvidia-cuda-nvrtc)")


def compile_text(source: str, options: list[str]) -> tuple[int, str]:
    library, program = nvrtc(), ctypes.c_void_p()
    assert library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"all.cu", 0, None, None) == 0
    flags = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    code = library.nvrtcCompileProgram(program, len(options), flags)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return code, log.value.decode()


OPTIONS = ["-std=c++17", "-arch=sm_90", "-ftz=false", "--fmad=false", f"-I{INCLUDE}"]


def test_every_rule_and_landscape_compiles_for_the_gpu():
    code, log = compile_text(SOURCE, OPTIONS)
    assert code == 0, log


def test_a_standard_header_would_be_noticed():
    code, log = compile_text("#include <cmath>\n" + SOURCE, OPTIONS)
    assert code != 0
    assert "cmath" in log
