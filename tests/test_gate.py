"""Every refusal: the right error, one line that names the argument, and memory left as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.compare import assert_same_bits
from reference.refusals import refused

import optlab as ol

Make = Callable[..., Any]


def strided(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.ones((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]


def read_only(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    return array


def misaligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(shape)


def other(dtype: Any) -> Any:
    return np.float32 if np.dtype(dtype) == np.float64 else np.float64


# name -> (makes the array for a shape and the right dtype, error, what the message says was given)
WRONG: dict[str, tuple[Make, type[Exception], str]] = {
    "float16": (lambda s, d: np.ones(s, np.float16), TypeError, "got dtype float16"),
    "longdouble": (lambda s, d: np.ones(s, np.longdouble), TypeError, "got dtype float128|got dtype longdouble"),
    "int": (lambda s, d: np.ones(s, np.int64), TypeError, "got dtype int64"),
    "bool": (lambda s, d: np.ones(s, bool), TypeError, "got dtype bool"),
    "complex": (lambda s, d: np.ones(s, np.complex128), TypeError, "got dtype complex128"),
    "object": (lambda s, d: np.ones(s, object), TypeError, "got dtype object"),
    "big_endian": (lambda s, d: np.ones(s, np.dtype(d).newbyteorder(">")), TypeError, "got dtype >f"),
    "list": (lambda s, d: np.ones(s, d).tolist(), TypeError, "got builtins.list"),
    "none": (lambda s, d: None, TypeError, "got builtins.NoneType"),
    "scalar": (lambda s, d: 1.0, TypeError, "got builtins.float"),
    "strided": (strided, ValueError, "got a strided array"),
    "backwards": (lambda s, d: np.ones(s, d)[::-1], ValueError, "got a strided array"),
    "misaligned": (misaligned, ValueError, "got misaligned memory"),
    "empty": (lambda s, d: np.ones((*s[:-1], 0), d), ValueError, "got an empty array"),
    "zero_dimensional": (lambda s, d: np.ones((), d), ValueError, "got 0 dim|got shape|got 1 elements"),
    "three_dimensional": (lambda s, d: np.ones((*s, 2), d), ValueError, "got 3 dim|got shape|got 24 elements"),
}
WRITTEN = {"read_only": (read_only, ValueError, "got a read-only array")}
BESIDE = {  # beside an array that has set shape and dtype
    "other_dtype": (lambda s, d: np.ones(s, other(d)), TypeError, "got dtype float"),
    "short": (lambda s, d: np.ones((*s[:-1], s[-1] - 1), d), ValueError, "got shape"),
    "more_runs": (lambda s, d: np.ones((s[0] + 1, *s[1:]), d), ValueError, "got shape"),
    "flat": (lambda s, d: np.ones(int(np.prod(s)), d), ValueError, "got shape"),
}
SADDLE = ol.landscapes.StrictSaddle(4)
CUSTOM = ol.landscapes.Custom(4, value=SADDLE.value, grad=SADDLE.grad)
MOMENTUM = ol.SGD(lr=0.1, momentum=0.9)
SHAPE = (3, 4)


def ones(dtype: Any) -> np.ndarray:
    return np.ones(SHAPE, dtype)


def stepped(dtype: Any, **instead: Any) -> None:
    """One step with one array replaced; raises what the step raises, after a look at the other arrays."""
    fresh = MOMENTUM.init(ones(dtype))
    fresh["momentum_buffer"] += 3
    fresh["step"] += 5
    arrays = {"x": ones(dtype), "grad": 2 * ones(dtype), **fresh, **instead}
    before = {name: np.array(array, copy=True) for name, array in arrays.items()}
    state = {name: arrays[name] for name in fresh}
    try:
        MOMENTUM.step(arrays["x"], arrays["grad"], state)
    finally:
        for name, array in arrays.items():
            np.testing.assert_array_equal(np.asarray(array), before[name])


OTHER_DTYPE = {"other_dtype": (lambda s, d: np.ones(s, other(d)), TypeError, "got dtype float")}
LISTED = {"list": (lambda s, d: np.ones(s, d).tolist(), TypeError, "got a list")}  # of arrays, it would be a point
ANY_SHAPE = {name: wrong for name, wrong in WRONG.items() if not name.endswith("dimensional")}
NO_LIST = {name: wrong for name, wrong in WRONG.items() if name != "list"}


def listed(dtype: Any, **instead: Any) -> None:
    """One step of a list of two arrays, the second of them or of their gradients replaced."""
    x, grad = [[np.ones(2, dtype), ones(dtype)] for _ in range(2)]
    state = MOMENTUM.init(x)
    x[1], grad[1] = instead.get("x", x[1]), instead.get("grad", grad[1])
    try:
        MOMENTUM.step(x, grad, state)
    finally:
        assert (x[0] == 1).all() and not state["momentum_buffer"].any() and int(state["step"]) == 0


OUT = {name: wrong for name, wrong in (WRONG | WRITTEN | BESIDE).items() if name != "none"}  # None: a fresh array
# entry -> (the argument's name in the message, the call with that argument, which tables of wrong arrays apply)
ENTRIES: dict[str, tuple[str, Callable[[Any, Any], Any], dict[str, Any]]] = {
    "step_x": ("x", lambda a, d: stepped(d, x=a), WRONG | WRITTEN | LISTED),
    "step_grad": ("grad", lambda a, d: stepped(d, grad=a), WRONG | BESIDE),
    "step_state": ("momentum_buffer", lambda a, d: stepped(d, momentum_buffer=a), WRONG | WRITTEN | BESIDE),
    "init_x": (r"x(\[0\])?", lambda a, d: MOMENTUM.init(a), ANY_SHAPE | LISTED),
    "init_runs": ("x", lambda a, d: MOMENTUM.init(a, runs_axis=True), NO_LIST),
    "init_list": (r"x\[1\]", lambda a, d: MOMENTUM.init([ones(d), a]), ANY_SHAPE | OTHER_DTYPE),
    "step_list_x": (r"x\[1\]", lambda a, d: listed(d, x=a), NO_LIST | WRITTEN | OTHER_DTYPE),
    "step_list_grad": (r"grad\[1\]", lambda a, d: listed(d, grad=a), NO_LIST | BESIDE | OTHER_DTYPE),
    "value_x": ("x", lambda a, d: SADDLE.value(a), WRONG),
    "grad_x": ("x", lambda a, d: SADDLE.grad(a), WRONG),
    "grad_out": ("out", lambda a, d: SADDLE.grad(ones(d), out=a), OUT),
    "value_and_grad_x": ("x", lambda a, d: SADDLE.value_and_grad(a), WRONG),
    "hvp_x": ("x", lambda a, d: SADDLE.hvp(a, ones(d)), WRONG),
    "hvp_v": ("v", lambda a, d: SADDLE.hvp(ones(d), a), WRONG | BESIDE),
    "hessian_x": ("x", lambda a, d: SADDLE.hessian(a), WRONG),
    "descend_x0": ("x0", lambda a, d: ol.descend(SADDLE, MOMENTUM, a, 3), WRONG),
    "custom_value_x": ("x", lambda a, d: CUSTOM.value(a), WRONG),
    "custom_grad_x": ("x", lambda a, d: CUSTOM.grad(a), WRONG),
    "custom_grad_out": ("out", lambda a, d: CUSTOM.grad(ones(d), out=a), OUT),
    "custom_hvp_v": ("v", lambda a, d: CUSTOM.hvp(ones(d), a), WRONG | BESIDE),
}
REFUSALS = [(entry, wrong) for entry, (_, _, table) in ENTRIES.items() for wrong in table]


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize(("entry", "wrong"), REFUSALS)
def test_wrong_arrays_are_refused(entry: str, wrong: str, dtype: Any) -> None:
    name, call, table = ENTRIES[entry]
    make, kind, got = table[wrong]
    array = make(SHAPE, dtype)
    refused(lambda: call(array, dtype), kind, rf"^{name}: ", got, "expected")


def overlapping(dtype: Any, shift: int) -> tuple[np.ndarray, np.ndarray]:
    memory = np.ones(24, dtype)
    return memory[:12].reshape(SHAPE), memory[shift : shift + 12].reshape(SHAPE)


@pytest.mark.parametrize("shift", (0, 1, 11))
def test_overlapping_arrays_are_refused(shift: int) -> None:
    a, b = overlapping(np.float64, shift)
    separate = np.ones(SHAPE)
    for call, one, another in (
        (lambda: stepped(np.float64, x=a, grad=b), "x", "grad"),
        (lambda: stepped(np.float64, x=a, momentum_buffer=b), "momentum_buffer", "x"),
        (lambda: stepped(np.float64, grad=a, momentum_buffer=b), "momentum_buffer", "grad"),
        (lambda: SADDLE.grad(a, out=b), "out", "x"),
    ):
        refused(
            call,
            ValueError,
            f"^({one} and {another}|{another} and {one}): got overlapping memory, expected separate arrays",
        )
    stepped_apart = overlapping(np.float64, 12)
    MOMENTUM.step(*stepped_apart, MOMENTUM.init(separate))  # neighbours do not overlap


WHOLE_STATE = MOMENTUM.init(np.zeros(SHAPE))
LEAST = ol.landscapes.LeastSquares(np.eye(4), np.ones(4))
X = np.ones(SHAPE)
STUDY_STATE = MOMENTUM.init(X, SADDLE.layout, runs_axis=True)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in WHOLE_STATE.items() if key != name}


def step(**options: Any) -> None:
    """A step with momentum per run, or whatever is given."""
    opt = options.pop("opt", MOMENTUM)
    x = X.copy()
    state = options.pop("state", None) or opt.init(x, runs_axis=options.pop("runs_axis", True))
    try:
        opt.step(x, X, state, **options)
    except Exception:
        assert_same_bits(x, X)
        raise


def study(*, f: Any = SADDLE, opt: Any = MOMENTUM, x0: Any = X, steps: Any = 5, **options: Any) -> Any:
    return ol.descend(f, opt, x0, steps, **options)


def with_nan(value: float) -> np.ndarray:
    x = X.copy()
    x[2, 3] = value
    return x


SCALARS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    # steps of an optimizer
    "state_list": (lambda: step(state=[1]), TypeError, "^state: .*expected the dict"),
    "state_without_momentum": (
        lambda: step(state=without("momentum_buffer")),
        ValueError,
        "^state: got no entry 'momentum_buffer', expected",
    ),
    "state_without_step": (lambda: step(state=without("step")), ValueError, "^state: got no entry 'step', expected"),
    "state_step_int": (lambda: step(state=WHOLE_STATE | {"step": 0}), TypeError, "^step: got builtins.int, expected"),
    "state_step_float": (
        lambda: step(state=WHOLE_STATE | {"step": np.array(0.0)}),
        TypeError,
        "^step: got dtype float64, expected",
    ),
    "state_step_vector": (lambda: step(state=WHOLE_STATE | {"step": np.zeros(2, int)}), ValueError, "^step: got shape"),
    "step_lr_negative": (lambda: step(lr=-0.5), ValueError, r"^lr: got -0.5\d*, expected"),
    "step_lr_slightly_negative": (lambda: step(lr=-1e-9), ValueError, "^lr: got -1e-0?9, expected"),
    "step_lr_nan": (lambda: step(lr=np.nan), ValueError, "^lr: got nan, expected"),
    "step_lr_inf": (lambda: step(lr=np.inf), ValueError, "^lr: got inf, expected"),
    "step_lr_text": (lambda: step(lr="0.1"), TypeError, "^lr: got .*0.1.*, expected"),
    "step_lr_zero_dimensional": (lambda: step(lr=np.array(0.1)), TypeError, r"^lr: got array\(0.1\), expected"),
    "step_lr_matrix": (lambda: step(lr=np.ones((3, 3))), ValueError, r"^lr: got shape \(3, 3\), expected"),
    "step_lr_too_long": (lambda: step(lr=np.ones(5)), ValueError, "^lr: got 5 numbers, expected one or 3"),
    "step_lr_too_short": (lambda: step(lr=np.ones(2)), ValueError, "^lr: got 2 numbers, expected one or 3"),
    "step_lr_without_runs": (
        lambda: step(lr=np.ones(3), runs_axis=False),
        ValueError,
        "^lr: got one number per run, expected one number",
    ),
    "step_lr_beside_longer": (
        lambda: step(lr=np.ones(2), opt=ol.SGD(lr=0.1, momentum=[0.9] * 3)),
        ValueError,
        "^(x|lr|momentum): got .*2",
    ),
    "step_lengths_differ": (
        lambda: step(opt=ol.SGD(lr=[0.1] * 2, momentum=[0.9] * 3)),
        ValueError,
        "^(x|lr|momentum|optimizer): got .*2",
    ),
    # hyperparameters
    "lr_negative": (lambda: ol.SGD(lr=-1.0), ValueError, "^lr: got -1.0, expected a finite number >= 0"),
    "lr_nan": (lambda: ol.SGD(lr=np.nan), ValueError, "^lr: got nan, expected"),
    "lr_inf": (lambda: ol.HeavyBall(lr=np.inf), ValueError, "^lr: got inf, expected"),
    "lr_text": (lambda: ol.SGD(lr="0.1"), TypeError, "^lr: got '0.1', expected a number"),
    "lr_none": (lambda: ol.SGD(lr=None), TypeError, "^lr: got None, expected a number"),
    "lr_bool": (lambda: ol.SGD(lr=True), TypeError, "^lr: got True, expected a number"),
    "lr_empty": (lambda: ol.SGD(lr=[]), ValueError, r"^lr: got shape \(0,\), expected"),
    "lr_matrix": (lambda: ol.SGD(lr=[[0.1]]), ValueError, r"^lr: got shape \(1, 1\), expected"),
    "lr_one_negative": (lambda: ol.SGD(lr=[0.1, -0.1]), ValueError, "^lr: got -0.1, expected"),
    "momentum_one": (lambda: ol.SGD(lr=0.1, momentum=1.0), ValueError, "^momentum: got 1.0, expected .*>= 0 and < 1"),
    "momentum_of_ball": (lambda: ol.HeavyBall(lr=0.1, momentum=1.0), ValueError, "^momentum: got 1.0, expected .*< 1"),
    "momentum_negative": (lambda: ol.SGD(lr=0.1, momentum=-0.1), ValueError, "^momentum: got -0.1, expected"),
    "dampening": (lambda: ol.SGD(lr=0.1, dampening=1.5), ValueError, "^dampening: got 1.5, expected .*<= 1"),
    "weight_decay": (lambda: ol.SGD(lr=0.1, weight_decay=-1e-9), ValueError, "^weight_decay: got -1e-09, expected"),
    "nesterov_alone": (lambda: ol.SGD(lr=0.1, nesterov=True), ValueError, "^nesterov: got momentum 0.0 .*expected"),
    "nesterov_of_one_run": (
        lambda: ol.SGD(lr=0.1, momentum=[0.9, 0.0], nesterov=True),
        ValueError,
        "^nesterov: got momentum .*expected",
    ),
    "nesterov_dampened": (
        lambda: ol.SGD(lr=0.1, momentum=0.9, dampening=0.1, nesterov=True),
        ValueError,
        "^nesterov: got .*dampening 0.1, expected",
    ),
    # studies
    "landscape": (lambda: study(f=abs), TypeError, "^landscape: got builtin_function_or_method, expected"),
    "optimizer": (lambda: study(opt=0.1), TypeError, "^optimizer: got float, expected"),
    "optimizer_of_other_runs": (
        lambda: study(opt=ol.SGD(lr=[0.1] * 4)),
        ValueError,
        "^optimizer: got .*4 runs, expected 3",
    ),
    "optimizer_lengths_differ": (
        lambda: study(opt=ol.SGD(lr=[0.1] * 3, momentum=[0.5] * 2)),
        ValueError,
        "^momentum: got 2 numbers, expected one or 3",
    ),
    "x0_nan": (
        lambda: study(x0=with_nan(np.nan)),
        ValueError,
        "^x0: got a coordinate that is NaN or infinite, expected",
    ),
    "x0_inf": (lambda: study(x0=with_nan(np.inf)), ValueError, "^x0: got .*expected finite"),
    "x0_dim": (lambda: study(x0=np.ones(5)), ValueError, "^x0: got 5 coordinates, expected 4"),
    "steps_negative": (lambda: study(steps=-1), ValueError, "^steps: got -1, expected a whole number from 0"),
    "steps_float": (lambda: study(steps=5.0), TypeError, "^steps: got 5.0, expected a whole number"),
    "steps_bool": (lambda: study(steps=True), TypeError, "^steps: got True, expected a whole number"),
    "steps_beyond": (lambda: study(steps=2**48), ValueError, "^steps: got 281474976710656, expected"),
    "first_step_beyond": (lambda: study(first_step=2**48), ValueError, "^first_step: got .*expected"),
    "last_step_beyond": (lambda: study(first_step=2**48 - 3), ValueError, "^steps: got 5, expected .*to 2"),
    "first_step_negative": (lambda: study(first_step=-1), ValueError, "^first_step: got -1, expected"),
    "first_run_beyond": (lambda: study(first_run=2**32 - 2), ValueError, "^first_run: got .*expected"),
    "noise_negative": (lambda: study(noise=-1e-3), ValueError, "^noise: got -0.001, expected .*>= 0"),
    "noise_nan": (lambda: study(noise=np.nan), ValueError, "^noise: got nan, expected"),
    "noise_array": (lambda: study(noise=np.ones(4)), TypeError, "^noise: got .*expected a number"),
    "gradient_noise_negative": (lambda: study(gradient_noise=-1.0), ValueError, "^gradient_noise: got -1.0, expected"),
    "gradient_noise_shape": (
        lambda: study(gradient_noise=np.ones(3)),
        ValueError,
        r"^gradient_noise: got .*expected .*\(4,\)",
    ),
    "gradient_noise_text": (lambda: study(gradient_noise="big"), TypeError, "^gradient_noise: got 'big', expected"),
    "perturbation": (lambda: study(perturbation=0.1), TypeError, "^perturbation: got float, expected"),
    "perturbation_radius": (lambda: ol.Perturbation(-1.0, 1.0, 5), ValueError, "^radius: got -1.0, expected"),
    "perturbation_wait": (lambda: ol.Perturbation(1.0, 1.0, 0), ValueError, "^wait: got 0, expected"),
    "perturbation_wait_float": (lambda: ol.Perturbation(1.0, 1.0, 2.5), TypeError, "^wait: got 2.5, expected"),
    "perturbation_decrease": (lambda: ol.Perturbation(1.0, 1.0, 5, -1.0), ValueError, "^decrease: got -1.0, expected"),
    "theory_gap": (
        lambda: ol.Perturbation.from_theory(dim=2, smoothness=1.0, hessian_lipschitz=1.0, gap=0.0, eps=0.1),
        ValueError,
        "^gap: got 0.0, expected",
    ),
    "batch_size_on_no_sum": (lambda: study(batch_size=2), ValueError, "^batch_size: got 2, but .*not a finite sum"),
    "batch_size_zero": (lambda: study(f=LEAST, batch_size=0), ValueError, "^batch_size: got 0, expected"),
    "batch_size_float": (lambda: study(f=LEAST, batch_size=2.0), TypeError, "^batch_size: got 2.0, expected"),
    "seed_negative": (lambda: study(seed=-1), ValueError, "^seed: got -1, expected"),
    "seed_beyond": (lambda: study(seed=2**64), ValueError, "^seed: got 18446744073709551616, expected"),
    "seed_none": (lambda: study(seed=None), TypeError, "^seed: got None, expected a whole number"),
    "schedule_negative": (
        lambda: study(schedule=lambda t: -1.0),
        ValueError,
        "^schedule: .*expected finite factors >= 0",
    ),
    "schedule_nan": (lambda: study(schedule=lambda t: t * np.nan), ValueError, "^schedule: .*expected"),
    "schedule_shape": (lambda: study(schedule=lambda t: np.ones(99)), ValueError, "^schedule: .*expected"),
    "schedule_number": (lambda: study(schedule=0.5), TypeError, "^schedule: got 0.5, expected"),
    "state_of_other_rule": (
        lambda: study(state={"delta": X, "step": np.array(0)}),
        ValueError,
        "^state: got entries .*expected",
    ),
    "state_of_other_shape": (
        lambda: study(state=STUDY_STATE | {"momentum_buffer": X[:2]}),
        ValueError,
        "^state: 'momentum_buffer' is .*expected",
    ),
    "state_of_other_dtype": (
        lambda: study(state=STUDY_STATE | {"momentum_buffer": X.astype(np.float32)}),
        ValueError,
        "^state: 'momentum_buffer' is float32.*expected float64",
    ),
    "state_no_mapping": (lambda: study(state=[1]), TypeError, "^state: got .*expected"),
    "record_zero": (lambda: study(record=0), ValueError, "^record: got 0, expected a whole number from 1"),
    "record_negative": (lambda: study(record=-2), ValueError, "^record: got -2, expected"),
    "record_text": (lambda: study(record="all"), TypeError, "^record: got 'all', expected"),
    "record_float": (lambda: study(record=2.0), TypeError, "^record: got 2.0, expected"),
    "record_outside": (lambda: study(record=[0, 6]), ValueError, "^record: got 6, expected .*from 0 to 5"),
    "record_before": (lambda: study(record=[3], first_step=4), ValueError, "^record: got 3, expected .*from 4"),
    "record_of_floats": (lambda: study(record=[0.5]), TypeError, "^record: got 0.5, expected"),
    "record_zero_dimensional": (lambda: study(record=np.array(2.0)), TypeError, "^record: got .*expected"),
    "log_spaced_zero": (lambda: ol.log_spaced(0), ValueError, "^count: got 0, expected"),
    "probe": (lambda: study(probes={"p": 3}), TypeError, "^probes: 'p' is not a landscape of 4"),
    "probe_dim": (
        lambda: study(probes={"p": ol.landscapes.Beale()}),
        TypeError,
        "^probes: 'p' is not a landscape of 4",
    ),
    "probes_no_mapping": (lambda: study(probes=[SADDLE]), TypeError, "^probes: got .*expected"),
    "stop_text": (lambda: study(stop="soon"), TypeError, "^stop: got str, expected rules"),
    "stop_function": (lambda: study(stop=ol.stop.nonfinite), TypeError, "^stop: got function, expected rules"),
    "stop_dim": (
        lambda: study(stop=ol.stop.near(np.ones(3), 1.0)),
        ValueError,
        "^stop: near was made for 3 .*expected 4",
    ),
    "stop_box_dim": (lambda: study(stop=ol.stop.leaves_box(np.ones(3), 9)), ValueError, "^stop: left was made for 3"),
    "stop_negative_norm": (lambda: ol.stop.grad_norm(-1.0), ValueError, "^below: got -1.0, expected"),
    "stop_radius": (lambda: ol.stop.near(0.0, -1.0), ValueError, "^radius: got -1.0, expected"),
    "stop_nan_point": (lambda: ol.stop.near([0.0, np.nan], 1.0), ValueError, "^point: got .*expected"),
    "stop_text_point": (lambda: ol.stop.near("here", 1.0), TypeError, "^point: got 'here', expected"),
    "stop_coordinate": (
        lambda: ol.stop.leaves_ball(1.0, np.zeros(4), [4]),
        ValueError,
        "^coordinates: got 4, expected .*to 3",
    ),
    "stop_center": (lambda: ol.stop.leaves_ball(1.0, 0.0, [0]), ValueError, "^center: got a number, expected a vector"),
    "threads_zero": (lambda: study(threads=0), ValueError, "^threads: got 0, expected a whole number from 1"),
    "threads_float": (lambda: study(threads=1.5), TypeError, "^threads: got 1.5, expected a whole number"),
    # landscapes
    "x_dim": (lambda: SADDLE.value(np.ones(5)), ValueError, "^x: got 5 coordinates, expected 4"),
    "x_dim_custom": (lambda: CUSTOM.value(np.ones(5)), ValueError, "^x: got 5 coordinates, expected 4"),
    "hessian_dim": (lambda: SADDLE.hessian(np.ones((3, 5))), ValueError, "^x: got 5 coordinates, expected 4"),
    "batch_on_no_sum": (
        lambda: SADDLE.value(X, batch=np.array([0])),
        ValueError,
        "^batch: got indices, but .*not a finite sum",
    ),
    "batch_on_custom": (
        lambda: CUSTOM.grad(X, batch=np.array([0])),
        ValueError,
        "^batch: got indices, but .*not a finite sum",
    ),
    "batch_beyond": (
        lambda: LEAST.value(X, batch=np.array([0, 4])),
        IndexError,
        "^batch: got sample 4, expected 0 to 3",
    ),
    "batch_before": (lambda: LEAST.grad(X, batch=np.array([-1])), IndexError, "^batch: got sample -1, expected 0 to 3"),
    "batch_int32": (
        lambda: LEAST.grad(X, batch=np.zeros(2, np.int32)),
        TypeError,
        "^batch: got dtype int32, expected int64",
    ),
    "batch_list": (
        lambda: LEAST.grad(X, batch=[0]),
        TypeError,
        r"^batch: got builtins.list, expected a numpy.ndarray of int64",
    ),
    "batch_empty": (lambda: LEAST.grad(X, batch=np.zeros(0, np.int64)), ValueError, "^batch: got an empty array"),
    "sample_size": (lambda: LEAST.sample(0, 0), ValueError, "^batch_size: got None, expected"),
    "dim_zero": (lambda: ol.landscapes.Rastrigin(0), ValueError, "^dim: got 0, expected a whole number from 1"),
    "dim_one": (lambda: ol.landscapes.Rosenbrock(1), ValueError, "^dim: got 1, expected a whole number from 2"),
    "dim_float": (lambda: ol.landscapes.LongValley(2.0), TypeError, "^dim: got 2.0, expected a whole number"),
    "amplitude": (lambda: ol.landscapes.Rastrigin(2, -1.0), ValueError, "^amplitude: got -1.0, expected"),
    "steepness": (lambda: ol.landscapes.LongValley(2, 0.0), ValueError, "^steepness: got 0.0, expected"),
    "frequency": (lambda: ol.landscapes.Cosine(0.0), ValueError, "^c: got 0.0, expected"),
    "spectrum_empty": (lambda: ol.landscapes.Quadratic([]), ValueError, "^spectrum: got .*expected"),
    "spectrum_nan": (lambda: ol.landscapes.Quadratic([1.0, np.nan]), ValueError, "^spectrum: got .*expected"),
    "rotation_shape": (
        lambda: ol.landscapes.Quadratic([1.0], rotation=np.eye(2)),
        ValueError,
        "^rotation: got shape .*expected",
    ),
    "rotation_skew": (
        lambda: ol.landscapes.Quadratic([1.0, 2.0], rotation=np.ones((2, 2))),
        ValueError,
        "^rotation: got .*expected",
    ),
    "rotation_seed": (lambda: ol.landscapes.Quadratic([1.0], rotation=-1), ValueError, "^seed: got -1, expected"),
    "negative": (
        lambda: ol.landscapes.StrictSaddle(3, negative=4),
        ValueError,
        "^negative: got 4, expected .*from 1 to 3",
    ),
    "curvature": (lambda: ol.landscapes.StrictSaddle(3, curvature=0.0), ValueError, "^curvature: got 0.0, expected"),
    "positive": (
        lambda: ol.landscapes.StrictSaddle(3, positive=(0.0, 1.0)),
        ValueError,
        "^positive: got 0.0, expected",
    ),
    "coefficients": (
        lambda: ol.landscapes.Sinusoid(np.ones((2, 5))),
        ValueError,
        "^coefficients: got shape .*expected",
    ),
    "matrix": (lambda: ol.landscapes.LeastSquares(np.eye(2), np.ones(3)), ValueError, "^A, b: got shapes .*expected"),
    "custom_function": (lambda: ol.landscapes.Custom(2, 1.0, abs), TypeError, "^value: got 1.0, expected a function"),
    "custom_minima": (
        lambda: ol.landscapes.Custom(2, abs, abs, minima=np.ones(3)),
        ValueError,
        r"^minima: got shape \(3,\), expected \(count, 2\)",
    ),
    "custom_value_shape": (
        lambda: ol.landscapes.Custom(4, lambda x: x, SADDLE.grad).value(X),
        ValueError,
        r"^value: returned shape \(3, 4\), expected \(3,\)",
    ),
    "custom_grad_dtype": (
        lambda: ol.landscapes.Custom(4, SADDLE.value, lambda x: x.astype(np.float32)).grad(X),
        TypeError,
        "^grad: returned float32, expected an array of float64",
    ),
    # random numbers
    "random_seed": (lambda: ol.random.normal(3, -1), ValueError, "^seed: got -1, expected"),
    "random_seed_float": (lambda: ol.random.normal(3, 1.0), TypeError, "^seed: got 1.0, expected a whole number"),
    "random_stream": (lambda: ol.random.normal(3, 0, stream=2**16), ValueError, "^stream: got 65536, expected"),
    "random_step": (lambda: ol.random.normal(3, 0, step=2**48), ValueError, "^step: got .*expected"),
    "random_first_run": (
        lambda: ol.random.normal((2, 3), 0, first_run=2**32 - 1),
        ValueError,
        "^first_run: got .*expected",
    ),
    "random_dtype": (lambda: ol.random.uniform(3, 0, dtype=np.float16), TypeError, "^dtype: got .*float16.*, expected"),
    "random_endian": (lambda: ol.random.uniform(3, 0, dtype=">f4"), TypeError, "^dtype: got >f4, expected"),
    "random_no_dtype": (lambda: ol.random.uniform(3, 0, dtype="real"), TypeError, "^dtype: got real, expected"),
    "random_shape_empty": (lambda: ol.random.normal((), 0), ValueError, r"^shape: got \(\), expected"),
    "random_shape_zero": (lambda: ol.random.normal((0, 3), 0), ValueError, "^shape: got 0, expected"),
    "random_shape_float": (lambda: ol.random.normal(2.5, 0), TypeError, "^shape: got 2.5, expected"),
    "random_shape_deep": (lambda: ol.random.normal((1, 2, 3), 0), ValueError, "^shape: got .*expected"),
    "random_radius": (lambda: ol.random.ball(3, 0, radius=-1.0), ValueError, "^radius: got -1.0, expected"),
    "random_high": (lambda: ol.random.integers(3, 0, 0), ValueError, "^high: got 0, expected"),
    "random_high_beyond": (lambda: ol.random.integers(3, 2**32, 0), ValueError, "^high: got 4294967296, expected"),
}


@pytest.mark.parametrize("name", SCALARS)
def test_wrong_arguments_are_refused(name: str) -> None:
    call, kind, pattern = SCALARS[name]
    refused(call, kind, pattern)


EMPTY_RATES = """
import numpy as np, optlab as ol
x = np.ones(4)
try:
    ol.SGD(lr=0.1).step(x, x.copy(), ol.SGD(lr=0.1).init(x), lr=np.array([]))
except ValueError as error:
    assert (x == 1).all() and str(error).startswith("lr: got "), error
else:
    raise SystemExit(f"accepted: {x}")
"""


def test_no_learning_rates_are_refused(python: Any) -> None:
    done = python(EMPTY_RATES)  # in a process of its own, since reading behind an empty array may end it
    assert done.returncode == 0, (done.returncode, done.stderr)


# name -> (a call, the same call said otherwise)
ACCEPTED: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "integral_shape": (lambda: ol.random.normal(np.int64(3), 0), lambda: ol.random.normal(3, 0)),
    "listed_shape": (lambda: ol.random.normal([2, 3], 0), lambda: ol.random.normal((2, 3), 0)),
    "integral_steps": (lambda: study(steps=np.int32(5)).last, lambda: study(steps=5).last),
    "whole_noise": (lambda: study(noise=1).last, lambda: study(noise=1.0).last),
    "longlong_batch": (
        lambda: LEAST.grad(X, batch=np.array([1], np.longlong)),
        lambda: LEAST.grad(X, batch=np.array([1], np.int64)),
    ),
    "integral_threads": (lambda: study(threads=np.int64(2)).last, lambda: study(threads=2).last),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_means_the_same_is_accepted(name: str) -> None:
    given_so, otherwise = ACCEPTED[name]
    assert_same_bits(given_so(), otherwise())


RATES = (0.1, [0.1] * 3, (0.1, 0.1, 0.1), np.full(3, 0.1), np.float64(0.1), np.full(1, 0.1))


@pytest.mark.parametrize("lr", RATES, ids=repr)
def test_rates_are_accepted_in_every_form(lr: Any) -> None:
    expected, built, given_now = X.copy(), X.copy(), X.copy()
    ol.SGD(lr=0.1).step(expected, X, ol.SGD(lr=0.1).init(X))
    ol.SGD(lr=lr).step(built, X, ol.SGD(lr=lr).init(X))
    ol.SGD(lr=5.0).step(given_now, X, ol.SGD(lr=5.0).init(X, runs_axis=True), lr=lr)
    assert_same_bits(built, expected)
    assert_same_bits(given_now, expected)


# ---------------------------------------------------------------- every combination


@st.composite
def views(draw: Any) -> np.ndarray:
    """A view of some memory: any dtype, shape, strides, offset and permission."""
    dtype = np.dtype(draw(st.sampled_from(["<f4", "<f8", "<f4", "<f8", "<f2", ">f4", ">f8", "<i8", "<c8", "?"])))
    shape = draw(st.lists(st.integers(0, 5) | st.integers(1, 40), min_size=0, max_size=3))
    steps = [draw(st.sampled_from([1, 1, 1, 2])) for _ in shape]
    order = draw(st.permutations(range(len(shape)))) if draw(st.booleans()) else list(range(len(shape)))[::-1]
    offset = draw(st.sampled_from([0, 0, dtype.itemsize, 1, 4]))
    strides, extent = [0] * len(shape), dtype.itemsize
    for axis in order:
        strides[axis] = extent * steps[axis]
        extent *= max(shape[axis], 1) * steps[axis]
    memory = np.arange(extent + offset + 64, dtype=np.uint8) % 61  # bytes below 61 make small, finite numbers
    view = np.ndarray(tuple(shape), dtype, memory.data, offset, tuple(strides))
    view.flags.writeable = draw(st.sampled_from([True, True, False]))
    return view


def acceptable(x: np.ndarray, *, written: bool, ndims: Any = (1, 2)) -> bool:
    right = x.dtype in (np.float32, np.float64) and x.dtype.isnative and x.ndim in ndims and x.size > 0
    return right and x.flags.c_contiguous and x.flags.aligned and (x.flags.writeable or not written)


def owner(view: np.ndarray) -> np.ndarray:
    """All the memory behind a view."""
    return np.frombuffer(view.base, np.uint8)


def attempted(call: Callable[[], Any]) -> bool:
    """Whether the call was accepted; a refusal must be clean."""
    try:
        call()
    except (TypeError, ValueError) as error:
        assert re.match(r"^\w+: got .*expected [^\n]*$", str(error)), error
        return False
    return True


@given(views())
def test_a_step_takes_a_view_or_leaves_all_memory_alone(x: np.ndarray) -> None:
    before, values = owner(x).copy(), x.copy()
    grad = np.ones(x.shape, x.dtype)
    state = ol.SGD(lr=0.5).init(np.ones(max(x.size, 1)))
    accepted = attempted(lambda: ol.SGD(lr=0.5).step(x, grad, state))
    assert accepted == acceptable(x, written=True, ndims=range(4)) and int(state["step"]) == accepted
    if accepted:
        assert_same_bits(x, values - x.dtype.type(0.5) * grad)  # never an update of a copy
        x[...] = values  # and nothing else changed
    assert_same_bits(owner(x), before)


@given(views())
def test_a_point_is_read_where_it_lies_or_refused(x: np.ndarray) -> None:
    before = owner(x).copy()
    f = ol.landscapes.Quadratic(np.ones(max(x.shape[-1] if x.ndim else 1, 1)))
    results: list[Any] = []
    accepted = attempted(lambda: results.append(f.grad(x)))
    assert accepted == acceptable(x, written=False)
    if accepted:
        assert_same_bits(results[0], x.copy())  # the gradient of |x|²/2
    assert_same_bits(owner(x), before)


@given(views(), views())
def test_out_is_filled_or_left_alone(x: np.ndarray, out: np.ndarray) -> None:
    x = np.ones(x.shape if x.ndim in (1, 2) and x.size else (3, 4), np.float32)
    before = owner(out).copy()
    accepted = attempted(lambda: ol.landscapes.Quadratic(np.full(x.shape[-1], 3.0)).grad(x, out=out))
    assert accepted == (acceptable(out, written=True) and out.shape == x.shape and out.dtype == x.dtype)
    if accepted:
        assert (out == 3).all()
    else:
        assert_same_bits(owner(out), before)
