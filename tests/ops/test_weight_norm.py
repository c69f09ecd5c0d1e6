"""Weight normalization."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference import norms
from reference.compare import assert_same_bits
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
SHAPES = [(1, 1), (2, 2), (3, 3), (1, 7), (7, 8), (5, 15), (16, 16), (3, 17), (31, 31), (2, 33), (65, 63), (64, 64)]
SHAPES += [(3, 65), (2, 1000), (1000, 3), (4, 2311)]
K = 32  # roundings in units of eps: 20 of a sum of the tree, and one each of some ten operations around it


def drawn(shape: tuple[int, int], dtype: Any) -> SimpleNamespace:
    rng = np.random.default_rng(shape[1])
    of = {name: rng.normal(size=shape).astype(dtype) for name in ("v", "dw", "v_dot", "dw_dot")}
    of |= {name: rng.normal(size=shape[0]).astype(dtype) for name in ("g", "g_dot")}
    return SimpleNamespace(**of)


def arguments(of: Any) -> dict[str, dict[str, Any]]:
    """What each pass is called with, by name."""
    _, norm = ops.weight_norm_forward(of.v, of.g)
    common = {"v": of.v, "g": of.g, "norm": norm}
    tangent = {"v_dot": of.v_dot, **common, "g_dot": of.g_dot}
    _, norm_dot = ops.weight_norm_forward_tangent(**tangent)
    dots = {"dw_dot": of.dw_dot, "v_dot": of.v_dot, "norm_dot": norm_dot, "g_dot": of.g_dot}
    return {
        "forward": {"v": of.v, "g": of.g},
        "backward": {"dw": of.dw, **common},
        "forward_tangent": tangent,
        "backward_tangent": {**dots, "dw": of.dw, **common},
    }


def ours(of: Any) -> dict[str, Any]:
    return {which: getattr(ops, f"weight_norm_{which}")(**given) for which, given in arguments(of).items()}


def twin(of: Any) -> dict[str, Any]:
    """By the formulas in float64; the tangents by complex step."""
    w = SimpleNamespace(**{name: array.astype(np.float64) for name, array in vars(of).items()})
    there, back = (w.v, w.g), (w.dw, w.v, w.g)
    return {
        "forward": norms.weight_forward(*there),
        "backward": norms.weight_backward(*back),
        "forward_tangent": norms.along(norms.weight_forward, there, (w.v_dot, w.g_dot)),
        "backward_tangent": norms.along(norms.weight_backward, back, (w.dw_dot, w.v_dot, w.g_dot)),
    }


def length(array: Any) -> Any:
    return np.sqrt((np.asarray(array, np.float64) ** 2).sum(-1, keepdims=array.ndim > 1))


def scales(of: Any) -> dict[str, Any]:
    """Per row, the lengths of the terms; the direction is a unit vector, each derivative of it brings v_dot / norm."""
    g, g_dot, norm = (np.abs(a).astype(np.float64)[:, None] for a in (of.g, of.g_dot, length(of.v)[:, 0]))
    dw, dw_dot, turn = length(of.dw), length(of.dw_dot), length(of.v_dot) / norm
    return {
        "forward": (g, norm),
        "backward": (g / norm * dw, dw),
        "forward_tangent": (g_dot + g * turn, turn * norm),
        "backward_tangent": ((g_dot * dw + g * dw_dot + 3 * g * turn * dw) / norm, dw_dot + dw * turn),
    }


def assert_close(got: dict[str, Any], expected: dict[str, Any], of: Any) -> None:
    sizes, eps = scales(of), np.finfo(of.v.dtype).eps
    for which, results in expected.items():
        for a, b, size in zip(got[which], results, sizes[which], strict=True):
            assert a.dtype == of.v.dtype and a.shape == b.shape
            assert (np.abs(a - b) <= K * eps * size.reshape(len(size), *[1] * (a.ndim - 1))).all(), which


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_all_passes_follow_the_formulas(shape: Any, dtype: Any) -> None:
    of = drawn(shape, dtype)
    assert_close(ours(of), twin(of), of)
    fixed = arguments(of)["forward_tangent"] | {"g_dot": None}
    zero = fixed | {"g_dot": np.zeros_like(of.g)}
    assert_same_bits(ops.weight_norm_forward_tangent(**fixed)[0], ops.weight_norm_forward_tangent(**zero)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", (1, 2, 3, 63, 64, 65, 1000))
def test_pytorch_finds_the_same(outputs: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    for inputs in (2, 9, 64, 130):
        of = drawn((outputs, inputs), dtype)
        v, g, dw = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (of.v, of.g, of.dw))
        w = torch._weight_norm(v, g[:, None], 0)
        dv, dg = torch.autograd.grad(w, (v, g), dw)
        got = ours(of)
        norm = torch.linalg.vector_norm(v, dim=1).detach().numpy()
        assert_close(got, {"forward": (w.detach().numpy(), norm), "backward": (dv.numpy(), dg.numpy())}, of)


@pytest.mark.parametrize("shape", SHAPES)
def test_tangents_are_derivatives_and_backward_is_the_adjoint(shape: Any) -> None:
    of, h = drawn(shape, np.float64), 1e-5
    got, sides = ours(of), []
    for sign in (1, -1):
        moved = {name: getattr(of, name) + sign * h * getattr(of, f"{name}_dot") for name in ("v", "g", "dw")}
        sides.append(ours(SimpleNamespace(**{**vars(of), **moved})))
    turn = 1 + length(of.v_dot) / length(of.v)  # the third derivative brings it twice more
    for which in ("forward", "backward"):
        parts = zip(
            *(side[which] for side in sides), got[f"{which}_tangent"], scales(of)[f"{which}_tangent"], strict=True
        )
        for a, b, rate, size in parts:
            bound = 16 * (size + 1e-3) * (h * turn) ** 2 + 1e-10 * (1 + size) * turn**2
            assert (np.abs((a - b) / (2 * h) - rate) <= (bound if a.ndim > 1 else bound[:, 0])).all()
    dv, dg = got["backward"]
    left, right = (of.dw * got["forward_tangent"][0]).sum(1), (dv * of.v_dot).sum(1) + dg * of.g_dot
    assert (np.abs(left - right)[:, None] <= K * 2.3e-16 * scales(of)["forward_tangent"][0] * length(of.dw)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_and_addresses_change_nothing(dtype: Any) -> None:
    of, got = drawn((131, 307), dtype), []
    behind = SimpleNamespace(**{name: np.append(array[:1].ravel()[:1], array) for name, array in vars(of).items()})
    moved = {name: getattr(behind, name)[1:].reshape(array.shape) for name, array in vars(of).items()}
    for count, arrays in ((1, of), (2, of), (3, of), (1, SimpleNamespace(**moved))):
        with ol.threads(count):
            got.append(np.concatenate([array.ravel() for results in ours(arrays).values() for array in results]))
    for other in got[1:]:
        assert_same_bits(other, got[0])


@pytest.mark.parametrize(
    ("dtype", "power"), [(np.float32, 120), (np.float32, -120), (np.float64, 1000), (np.float64, -1000)]
)
def test_squares_out_of_range(dtype: Any, power: int) -> None:
    of = drawn((3, 1000), dtype)
    w, norm = ops.weight_norm_forward(of.v, of.g)
    far_w, far_norm = ops.weight_norm_forward(np.ldexp(of.v, power), of.g)
    np.testing.assert_allclose(np.ldexp(far_norm, -power), norm, rtol=K * np.finfo(dtype).eps)
    np.testing.assert_allclose(far_w, w, atol=K * np.finfo(dtype).eps * 3, rtol=0)


def test_nonfinite_rows_stay_alone() -> None:
    of = drawn((4, 50), np.float64)
    whole = ops.weight_norm_forward(of.v, of.g)[0]
    of.v[1, 2], of.v[2, 3], of.v[3] = np.nan, np.inf, 0
    w, norm = ops.weight_norm_forward(of.v, of.g)
    assert_same_bits(w[0], whole[0])
    assert np.isnan(w[1]).all() and np.isnan(w[2, 3]) and np.isnan(w[3]).all()
    assert np.isnan(norm[1]) and norm[2] == np.inf and norm[3] == 0


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "float16": (lambda a: a.astype(np.float16), TypeError, "got dtype float16"),
    "list": (lambda a: a.tolist(), TypeError, "got builtins.list"),
    "strided": (lambda a: np.repeat(a, 2, -1)[..., ::2], ValueError, "got a strided array"),
    "long": (lambda a: np.ones(a.size + 1), ValueError, "got shape"),
    "empty": (lambda a: a[:0], ValueError, "got an empty array"),
}


@pytest.mark.parametrize("which", ("forward", "backward", "forward_tangent", "backward_tangent"))
def test_wrong_arrays_are_refused(which: str) -> None:
    of = drawn((3, 5), np.float64)
    given, call = arguments(of)[which], getattr(ops, f"weight_norm_{which}")
    out = tuple(np.full_like(array, 7) for array in ours(of)[which])
    for name, array in given.items():
        for make, kind, said in WRONG.values():
            bad_call = partial(call, **{**given, name: make(array)}, out=out)
            refused(bad_call, kind, f"^{name}: ", said, "expected")
    for bad, kind, said in (
        ((given["v"], out[1]), ValueError, "overlapping memory"),
        ((out[0], out[0]), ValueError, "got shape"),
        (out[:1], TypeError, "expected a tuple of 2"),
        (out[0], TypeError, "expected a tuple of 2"),
    ):
        refused(lambda b=bad: call(**given, out=b), kind, said, "expected")
    assert all((array == 7).all() for array in out)
    got = call(**given, out=(out[0], None))
    assert got[0] is out[0]
    assert_same_bits(out[0], call(**given)[0])
