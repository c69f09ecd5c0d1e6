"""What is NaN or infinite: gradients that are refused, skipped or let through, and runs that are lost."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from cases.optimizers import examples
from reference.compare import assert_same_bits
from reference.stepping import Array, data

import optlab as ol
from optlab.optim.rule import state_names

DTYPES = (np.float32, np.float64)
BAD = (np.nan, np.inf, -np.inf)
SIZE = 35


def with_option(opt: ol.Optimizer, nonfinite: Any) -> ol.Optimizer:
    """The same optimizer, with another treatment of gradients that are not finite."""
    given = opt.__getstate__() | {"nonfinite": nonfinite}
    given["groups"] = {pattern: dict(values) for pattern, values in given["groups"]}
    return type(opt)(**given)


def walk(opt: ol.Optimizer, x: Array, grads: list[Array], runs_axis: bool = False) -> dict[str, Array]:
    """x and the state's arrays after these gradients."""
    x = x.copy()
    state = opt.init(x, runs_axis=runs_axis)
    for grad in grads:
        opt.step(x, grad, state)
    return {"x": x} | {name: array for name, array in state.items() if name != "format"}


def spoilt(grad: Array, at: Any, bad: float) -> Array:
    grad = grad.copy()
    grad[at] = bad
    return grad


@pytest.mark.parametrize("name", examples())
def test_finite_gradients_are_treated_alike(name: str) -> None:
    x, grads = data(SIZE, np.float32)
    usual = walk(examples()[name], x, grads)
    for nonfinite in ("raise", "skip"):
        found = walk(with_option(examples()[name], nonfinite), x, grads)
        for key, array in usual.items():
            assert_same_bits(found[key], array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_place_is_looked_at(dtype: Any) -> None:
    x, grads = data(SIZE, dtype, 3)
    for bad in BAD:
        for at in range(SIZE):
            wrong = spoilt(grads[1], at, bad)
            opt = ol.Adam(lr=0.1, nonfinite="raise")
            moved, state = x.copy(), opt.init(x)
            opt.step(moved, grads[0], state)
            before = {"x": moved.copy(), **{name: array.copy() for name, array in state.items()}}
            text = "-inf" if bad == -np.inf else str(bad)
            with pytest.raises(
                FloatingPointError, match=rf"^grad: got {text} at index {at} in step 1, expected finite"
            ):
                opt.step(moved, wrong, state)
            for name, array in {"x": moved, **state}.items():
                assert_same_bits(array, before[name])
            skipping = ol.Adam(lr=0.1, nonfinite="skip")
            found = walk(skipping, x, [grads[0], wrong, grads[2]])
            expected = walk(skipping, x, [grads[0], grads[2]])
            assert int(found["skipped"]) == 1 and int(found["step"]) == 3
            for name in ("x", "exp_avg", "exp_avg_sq"):
                assert_same_bits(found[name], expected[name])


@pytest.mark.parametrize("name", examples())
def test_a_skipped_step_was_never_taken(name: str) -> None:
    opt = with_option(examples()[name], "skip")
    x, grads = data(SIZE, np.float64)
    wrong = spoilt(grads[0], 34, np.nan)
    found, expected = walk(opt, x, [wrong, *grads[:2], wrong, grads[2]]), walk(opt, x, grads[:3])
    for key in ("x", *state_names(opt)):
        assert_same_bits(found[key], expected[key])


@pytest.mark.parametrize("dtype", DTYPES)
def test_runs_skip_each_for_itself(dtype: Any) -> None:
    opt = ol.Adam(lr=0.1, clip_norm=0.5, nonfinite="skip")
    x, grads = data((20, 7), dtype)
    grads = [spoilt(grad, (slice(step, None, 5), step), np.nan) for step, grad in enumerate(grads)]
    together = walk(opt, x, grads, runs_axis=True)
    assert together["skipped"].shape == (20,) and together["skipped"].sum() > 20
    for run in range(20):
        alone = walk(opt, x[run], [grad[run] for grad in grads])
        assert together["skipped"][run] == alone["skipped"]
        assert_same_bits(together["x"][run], alone["x"])


def test_names_of_arrays_and_places() -> None:
    opt = ol.SGD(lr=0.1, nonfinite="raise")
    parts, grads = [np.ones(3), np.ones((2, 4))], [np.ones(3), spoilt(np.ones((2, 4)), (1, 2), np.inf)]
    with pytest.raises(FloatingPointError, match=r"^grad\[1\]: got inf at index \(1, 2\) in step 0, "):
        opt.step(parts, grads, opt.init(parts))
    assert (parts[0] == 1).all()
    sparse, table = ol.SparseAdam(lr=0.1, nonfinite="skip"), np.ones((4, 3))
    state = sparse.init(table)
    sparse.step(table, spoilt(np.ones((2, 3)), (1, 2), np.nan), state, rows=np.array([2, 0]))
    assert (table == 1).all() and int(state["skipped"]) == 1
    with pytest.raises(ValueError, match=r"^nonfinite: got 'no', expected one of 'propagate', 'raise', 'skip'$"):
        ol.SGD(lr=0.1, nonfinite="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^state: got no entry 'skipped'"):
        ol.SGD(lr=0.1, nonfinite="skip").step(np.ones(2), np.ones(2), ol.SGD(lr=0.1).init(np.ones(2)))


class Failing(ol.landscapes.Custom):
    """|x|²/2 whose gradient is NaN for run r at its call t where (r + 3 t) % 7 = 0."""

    def __init__(self, dim: int, runs: int) -> None:
        self.calls = 0
        self.runs = runs
        super().__init__(dim, value=lambda x: (x**2).sum(1) / 2, grad=self.slope)

    def slope(self, x: Array) -> Array:
        out = x.copy()
        out[(np.arange(len(x)) + 3 * self.calls) % 7 == 0, -1] = np.nan
        self.calls += 1
        return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 3, 37))
def test_a_study_skips_as_the_steps_do(runs: int, dtype: Any) -> None:
    opt, x0 = ol.Adam(lr=0.1, nonfinite="skip"), data((runs, 5), dtype)[0]
    path = ol.descend(Failing(5, runs), opt, x0, 20)
    f, x, state = Failing(5, runs), x0.copy(), opt.init(x0, runs_axis=True)
    for _ in range(20):
        opt.step(x, f.grad(x), state)
    assert path.state["skipped"].min() >= 2
    assert_same_bits(path.state["skipped"], state["skipped"])
    assert_same_bits(path.last, x)
    on = ol.descend(Failing(5, runs), opt, path.last, 5, state=path.state, first_step=20)
    assert (on.state["skipped"] >= path.state["skipped"]).all() and on.state["skipped"].sum() > state["skipped"].sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 21))
def test_a_compiled_study_skips_and_refuses(runs: int, dtype: Any) -> None:
    """The gradient of the cube overflows far out: such runs stay there, the others are as alone."""
    f, x0 = ol.landscapes.Rosenbrock(), np.tile(np.array([-1.0, 1.0], dtype), (runs, 1))
    x0[runs // 2] = np.finfo(dtype).max / 4
    opt = ol.SGD(lr=1e-4)
    found = ol.descend(f, with_option(opt, "skip"), x0, 40)
    assert found.state["skipped"][runs // 2] == 40 and found.state["skipped"].sum() == 40
    assert_same_bits(found.last[runs // 2], x0[runs // 2])
    rest = np.arange(runs) != runs // 2
    if rest.any():
        assert_same_bits(found.last[rest], ol.descend(f, opt, x0[rest], 40).last)
    with pytest.raises(
        FloatingPointError, match=rf"^the gradient of run {7 + runs // 2}: got (nan|-?inf) at index 0 in"
    ):
        ol.descend(f, with_option(opt, "raise"), x0, 40, first_run=7)


@pytest.mark.parametrize("runs", (1, 21))
def test_a_lost_run_stops_with_one_warning(runs: int) -> None:
    f, x0 = ol.landscapes.Rosenbrock(), np.tile([-1.0, 1.0], (runs, 1))
    lr = np.full(runs, 1e-4)
    lr[-1] = 0.1
    lost = rf"^descend: run {runs - 1} had become NaN or infinite by step 32; it stopped there"
    with pytest.warns(RuntimeWarning, match=lost) as caught:
        path = ol.descend(f, ol.SGD(lr=lr), x0, 50, record=10)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert path.stop_reason[-1] == "nonfinite" and path.stop_step[-1] == 32
    assert not np.isfinite(path.last[-1]).all() and "nonfinite: 1, from step 32 on" in str(path)
    assert (path.stop_reason[:-1] == "steps").all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = ol.descend(f, ol.SGD(lr=lr), x0, 50, record=10, nonfinite="stop")
        on = ol.descend(f, ol.SGD(lr=lr), x0, 50, record=10, nonfinite="propagate")
        exact = ol.descend(f, ol.SGD(lr=lr), x0, 50, record=10, stop=ol.stop.nonfinite())
    assert_same_bits(silent.last, path.last)
    assert set(on.stop_reason) == {"steps"} and np.isnan(on.last[-1]).all()
    assert exact.stop_reason[-1] == "nonfinite" and exact.stop_step[-1] < 32
    for other in (silent, on, exact):
        assert_same_bits(other.last[:-1], path.last[:-1])
    with pytest.warns(RuntimeWarning, match="by step 5;"):  # the last step is looked at, too
        ol.descend(f, ol.SGD(lr=1e9), x0[:1], 5, record=[])
    with pytest.raises(ValueError, match=r"^nonfinite: got 'raise', expected one of 'warn', 'stop', 'propagate'$"):
        ol.descend(f, ol.SGD(lr=0.1), x0, 5, nonfinite="raise")  # type: ignore[arg-type]


def test_a_landscape_in_python_is_looked_at_too() -> None:
    f = ol.landscapes.Custom(2, value=lambda x: (x**4).sum(1), grad=lambda x: 4 * x**3)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="run 1 had become NaN or infinite by step 32"):
        path = ol.descend(f, ol.SGD(lr=0.1), np.array([[0.5, 0.5], [9.0, 9.0]]), 40)
    assert path.stop_reason.tolist() == ["steps", "nonfinite"]


def test_training_warns_once() -> None:
    X = ol.random.normal((64, 2), seed=0, dtype="float32")
    f = ol.nn.MLP([2, 8, 2]).on(X, (X[:, 0] > X[:, 1]).astype(np.int64))
    theta = np.stack([f.mlp.init(seed=0)] * 2)
    with pytest.warns(
        RuntimeWarning, match=r"^train: run 1 had become NaN or infinite by step \d+, in epoch"
    ) as caught:
        history = ol.nn.train(f, ol.SGD(lr=[0.1, 1e30]), epochs=20, batch_size=8, theta=theta)
    assert len(caught) == 1 and np.isfinite(history.last[0]).all()


@pytest.mark.parametrize("count", (-1, 3))
def test_a_state_that_has_skipped_more_than_it_has_taken_is_refused(count: int) -> None:
    opt, x = ol.Adam(lr=0.1, nonfinite="skip"), np.ones((1, 2))
    state = opt.init(x, runs_axis=True)
    state["step"][...], state["skipped"][...] = 2, count
    with pytest.raises(ValueError, match=rf"^state: 'skipped' holds {count}, expected 0 to 'step', which is 2$"):
        opt.step(x.copy(), x, state)
    f = ol.landscapes.Quadratic([1.0, 2.0])
    with pytest.raises(ValueError, match=rf"^state: 'skipped' is \[{count}\], expected 0 to 'step', which is 2$"):
        ol.descend(f, opt, x, 3, state=state)


def test_the_warning_counts_runs_as_the_error_does() -> None:
    f, x0 = ol.landscapes.Rosenbrock(), np.array([[-1.0, 1.0]])
    with pytest.warns(RuntimeWarning, match=r"^descend: run 50 had become"):
        ol.descend(f, ol.SGD(lr=0.1), x0, 40, first_run=50)
    with pytest.raises(FloatingPointError, match=r"^the gradient of run 50: "):
        ol.descend(f, ol.SGD(lr=0.1, nonfinite="raise"), x0, 40, first_run=50)
