"""States and points that do not belong together are refused before any memory is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.battery import SIZE
from reference.refusals import step_refused

import optlab as ol

ADAM = ol.Adam(lr=0.1)


def lists() -> list[Any]:
    return [np.ones(4), np.ones((2, 3))]


FITS: dict[str, tuple[Callable[[], dict[str, Any]], type[Exception], str]] = {
    "other_size": (
        lambda: {"x": np.ones(SIZE + 1), "state": ADAM.init(np.ones(SIZE))},
        ValueError,
        "^x: got 18 elements, expected 17, as init",
    ),
    "other_shape": (
        lambda: {"x": np.ones((3, 4)), "state": ADAM.init(np.ones(12))},
        ValueError,
        r"^exp_avg: got shape \(12,\), expected \(3, 4\)",
    ),
    "other_dtype": (
        lambda: {"x": np.ones(SIZE, np.float32), "state": ADAM.init(np.ones(SIZE))},
        TypeError,
        "^exp_avg: got dtype float64, expected float32",
    ),
    "runs_for_one": (
        lambda: {"x": np.ones((2, SIZE)), "state": two_runs() | one_run()},
        ValueError,
        "^exp_avg: got shape|^exp_avg_sq: got shape",
    ),
    "array_for_list": (
        lambda: {"x": np.ones(10), "state": ADAM.init(lists())},
        TypeError,
        "^x: got one array, expected a l",
    ),
    "list_for_array": (
        lambda: {"x": lists(), "state": ADAM.init(np.ones(10))},
        TypeError,
        "^x: got a list, expected one a",
    ),
    "short_list": (
        lambda: {"x": lists()[:1], "state": ADAM.init(lists())},
        ValueError,
        "^x: got 1 arrays, expected 2, as init",
    ),
    "no_list": (lambda: {"x": [], "state": ADAM.init(lists())}, ValueError, "^x: got 0 arrays|^x: got an empty list"),
    "short_gradients": (
        lambda: {"x": lists(), "grad": lists()[:1], "state": ADAM.init(lists())},
        ValueError,
        "^grad: got 1 arrays, expected 2",
    ),
    "array_of_gradients": (
        lambda: {"x": lists(), "grad": np.ones(10), "state": ADAM.init(lists())},
        TypeError,
        "^grad: .*expected a list of arrays",
    ),
    "list_of_gradients": (
        lambda: {"x": np.ones(10), "grad": lists(), "state": ADAM.init(np.ones(10))},
        TypeError,
        "^grad: got builtins.list, expected",
    ),
    "sizes_swapped": (
        lambda: {"x": lists()[::-1], "state": ADAM.init(lists())},
        ValueError,
        r"^x\[0\]: got 6 elements, expected 4",
    ),
    "gradient_shape": (
        lambda: {"x": lists(), "grad": [np.ones(4), np.ones(6)], "state": ADAM.init(lists())},
        ValueError,
        r"^grad\[1\]: got shape \(6,\), expected \(2, 3\)",
    ),
    "states_of_a_flat_array": (
        lambda: {"x": lists(), "state": ADAM.init(lists()) | {"exp_avg": np.zeros((2, 5))}},
        ValueError,
        r"^exp_avg: got shape \(2, 5\), expected \(10,\)",
    ),
}


def two_runs() -> dict[str, Any]:
    return ADAM.init(np.ones((2, SIZE)), runs_axis=True)


def one_run() -> dict[str, Any]:
    return {name: array for name, array in ADAM.init(np.ones(SIZE)).items() if name.startswith("exp")}


@pytest.mark.parametrize("name", FITS)
def test_a_state_fits_its_point(name: str) -> None:
    make_given, kind, pattern = FITS[name]
    step_refused(ADAM, kind, pattern, **make_given())


PAIRS = {"x": ("grad", "other", "exp_avg", "exp_avg_sq"), "grad": ("exp_avg", "exp_avg_sq"), "exp_avg": ("exp_avg_sq",)}


@pytest.mark.parametrize("shift", (0, 1, SIZE - 1))
@pytest.mark.parametrize(("one", "another"), [(a, b) for a, others in PAIRS.items() for b in others])
def test_arrays_of_a_list_do_not_overlap(one: str, another: str, shift: int) -> None:
    sizes = {"x": SIZE, "other": 5, "grad": SIZE, "exp_avg": SIZE + 5, "exp_avg_sq": SIZE + 5}
    memory = {name: np.ones(size) for name, size in sizes.items()}
    shared = np.ones(4 * SIZE)
    memory[one], memory[another] = shared[: sizes[one]], shared[shift : shift + sizes[another]]
    x, grad = [memory["x"], memory["other"]], [memory["grad"], np.ones(5)]
    state = ADAM.init([np.ones(SIZE), np.ones(5)]) | {name: memory[name] for name in ("exp_avg", "exp_avg_sq")}
    pattern = "^[^:]* and [^:]*: got overlapping memory, expected separate arrays"
    step_refused(ADAM, ValueError, pattern, state=state, x=x, grad=grad)


def test_neighbours_in_memory_do_not_overlap() -> None:
    memory = np.ones((6, SIZE))
    x, grad = [memory[0], memory[2]], [memory[1], memory[3]]
    state = ADAM.init([np.ones(SIZE), np.ones(SIZE)])
    state |= {name: memory[4:].reshape(-1) if name == "exp_avg" else state[name] for name in ("exp_avg", "exp_avg_sq")}
    ADAM.step(x, grad, state)
    assert int(state["step"]) == 1
