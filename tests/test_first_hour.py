"""What beginners type, and the one line that tells them what to type instead."""

from __future__ import annotations

import inspect
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.refusals import refused

import optlab as ol

F = ol.landscapes.StrictSaddle(4)
CUSTOM = ol.landscapes.Custom(4, value=F.value, grad=F.grad)
SGD = ol.SGD(lr=0.1)
ONES, LISTED = np.ones(4), [1.0, 2.0, 3.0, 4.0]
MLP, MLP64, ONE = ol.nn.MLP([3, 4, 2]), ol.nn.MLP([3, 4, 2], dtype="float64"), ol.nn.MLP([3, 4, 1])
WIDE, NARROW = ol.nn.MLP([9, 2]), ol.nn.MLP([1, 2])
X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0])
THETA = MLP.init(seed=0)
POINT = "expected a numpy.ndarray of float32 or float64"
DATA = "expected a NumPy array, or a PyTorch or JAX array on the CPU"
CLASSES = "expected int64, the classes that 'cross_entropy' takes"


class DataFrame:
    """As those of pandas, as far as it matters."""

    __module__ = "pandas.core.frame"

    def __init__(self, numbers: Any) -> None:
        self.numbers = np.asarray(numbers)
        self.ndim = self.numbers.ndim

    def to_numpy(self, dtype: Any) -> np.ndarray:
        return self.numbers.astype(dtype)


def descended(x0: Any = ONES, f: Any = F, optimizer: Any = SGD, **options: Any) -> Any:
    return ol.descend(f, optimizer, x0, 3, **options)


# The call with the argument that stands after it, the argument's name, and what is said: its end is tried, too.
ARRAYS: dict[str, tuple[Callable[[Any], Any], str, Any, type[Exception], str]] = {
    "x0_list": (
        descended,
        "x0",
        LISTED,
        TypeError,
        f"x0: got builtins.list, {POINT}; np.asarray(x0, dtype=np.float64) makes one",
    ),
    "x0_integers": (
        descended,
        "x0",
        np.arange(4),
        TypeError,
        "x0: got dtype int64, expected float32 or float64; x0.astype(np.float64) converts it",
    ),
    "x0_halves": (
        descended,
        "x0",
        np.ones(4, np.float16),
        TypeError,
        "x0: got dtype float16, expected float32 or float64; x0.astype(np.float64) converts it",
    ),
    "x0_number": (
        lambda x0: descended(x0, f=ol.landscapes.Cosine()),
        "x0",
        2.0,
        TypeError,
        f"x0: got builtins.float, {POINT}; np.array([x0], dtype=np.float64) makes one",
    ),
    "x0_frame": (
        descended,
        "x0",
        DataFrame(LISTED),
        TypeError,
        f"x0: got pandas.core.frame.DataFrame, {POINT}; x0.to_numpy(dtype=np.float64) makes one",
    ),
    "value_list": (
        F.value,
        "x",
        LISTED,
        TypeError,
        f"x: got builtins.list, {POINT}; np.asarray(x, dtype=np.float64) makes one",
    ),
    "grad_integers": (
        F.grad,
        "x",
        np.arange(4),
        TypeError,
        "x: got dtype int64, expected float32 or float64; x.astype(np.float64) converts it",
    ),
    "custom_tuple": (
        CUSTOM.value,
        "x",
        tuple(LISTED),
        TypeError,
        f"x: got builtins.tuple, {POINT}; np.asarray(x, dtype=np.float64) makes one",
    ),
    "hessian_list": (
        F.hessian,
        "x",
        LISTED,
        TypeError,
        f"x: got builtins.list, {POINT}; np.asarray(x, dtype=np.float64) makes one",
    ),
    "curvature_list": (
        lambda x: ol.curvature.hvp(F, x, ONES),
        "x",
        LISTED,
        TypeError,
        f"x: got builtins.list, {POINT}; np.asarray(x, dtype=np.float64) makes one",
    ),
    "init_list": (
        SGD.init,
        "x",
        LISTED,
        TypeError,
        "x: got a list without arrays, expected an array or a list of arrays; "
        "np.asarray(x, dtype=np.float64) makes one",
    ),
    "init_integers": (
        SGD.init,
        "x",
        np.arange(4),
        TypeError,
        "x: got dtype int64, expected float32 or float64; x.astype(np.float64) converts it",
    ),
    "X_float64": (
        lambda X: MLP.on(X, Y),
        "X",
        X.astype(np.float64),
        TypeError,
        "X: got dtype float64, expected float32, the network's; X.astype(np.float32) converts it "
        "(or MLP(dtype='float64'))",
    ),
    "X_float32": (
        lambda X: MLP64.on(X, Y),
        "X",
        X,
        TypeError,
        "X: got dtype float32, expected float64, the network's; X.astype(np.float64) converts it "
        "(or MLP(dtype='float32'))",
    ),
    "X_bytes": (
        lambda X: MLP.on(X, Y),
        "X",
        X.astype(np.uint8),
        TypeError,
        "X: got dtype uint8, expected float32, the network's; X.astype(np.float32) converts it",
    ),
    "X_list": (
        lambda X: MLP.on(X, Y),
        "X",
        X.tolist(),
        TypeError,
        f"X: got list, {DATA}; np.asarray(X, dtype=np.float32) makes one",
    ),
    "X_frame": (
        lambda X: MLP.on(X, Y),
        "X",
        DataFrame(X),
        TypeError,
        f"X: got DataFrame, {DATA}; X.to_numpy(dtype=np.float32) makes one",
    ),
    "X_images": (
        lambda X: WIDE.on(X, Y),
        "X",
        np.ones((6, 3, 3), np.float32),
        ValueError,
        "X: got shape (6, 3, 3), expected (n, 9); X.reshape(len(X), -1) makes a row of each sample",
    ),
    "X_of_one_input": (
        lambda X: NARROW.on(X, Y),
        "X",
        np.ones(6, np.float32),
        ValueError,
        "X: got shape (6,), expected (n, 1); X.reshape(-1, 1) makes rows of one input",
    ),
    "X_predicted": (
        lambda X: MLP.predict(THETA, X),
        "X",
        X[0],
        ValueError,
        "X: got shape (3,), expected (n, 3); X.reshape(1, -1) makes a row",
    ),
    "X_predicted_float64": (
        lambda X: MLP.predict(THETA, X),
        "X",
        X.astype(np.float64),
        TypeError,
        "X: got dtype float64, expected float32, the network's; X.astype(np.float32) converts it "
        "(or MLP(dtype='float64'))",
    ),
    "y_int32": (
        lambda y: MLP.on(X, y),
        "y",
        Y.astype(np.int32),
        TypeError,
        f"y: got dtype int32, {CLASSES}; y.astype(np.int64) converts it",
    ),
    "y_float_classes": (
        lambda y: MLP.on(X, y),
        "y",
        Y.astype(np.float64),
        TypeError,
        f"y: got dtype float64, {CLASSES}; y.astype(np.int64) converts it",
    ),
    "y_column": (
        lambda y: MLP.on(X, y),
        "y",
        Y.reshape(-1, 1),
        ValueError,
        "y: got shape (6, 1), expected classes (n,) or a distribution for each sample (n, 2); "
        "y.ravel() makes classes of a column",
    ),
    "y_list": (
        lambda y: MLP.on(X, y),
        "y",
        Y.tolist(),
        TypeError,
        f"y: got list, {DATA}; np.asarray(y, dtype=np.int64) makes one",
    ),
    "y_series": (
        lambda y: MLP.on(X, y),
        "y",
        DataFrame(Y),
        TypeError,
        f"y: got DataFrame, {DATA}; y.to_numpy(dtype=np.int64) makes one",
    ),
    "y_names": (
        lambda y: MLP.on(X, y),
        "y",
        np.array(["cat", "dog"])[Y],
        TypeError,
        f"y: got dtype <U3, {CLASSES}; np.unique(y, return_inverse=True)[1] numbers them",
    ),
    "y_one_hot": (
        lambda y: MLP.on(X, y),
        "y",
        np.eye(2, dtype=int)[Y],
        TypeError,
        "y: got dtype int64, expected float32, the network's; y.astype(np.float32) converts it",
    ),
    "y_one_hot_list": (
        lambda y: MLP.on(X, y),
        "y",
        np.eye(2, dtype=int)[Y].tolist(),
        TypeError,
        f"y: got list, {DATA}; np.asarray(y, dtype=np.float32) makes one",
    ),
    "y_of_mse": (
        lambda y: ONE.on(X, y, "mse"),
        "y",
        np.linspace(0.0, 1.0, 6),
        TypeError,
        "y: got dtype float64, expected float32, the network's; y.astype(np.float32) converts it",
    ),
    "y_of_mse_list": (
        lambda y: ONE.on(X, y, "mse"),
        "y",
        [0.5] * 6,
        TypeError,
        f"y: got list, {DATA}; np.asarray(y, dtype=np.float32) makes one",
    ),
    "theta_float64": (
        lambda theta: MLP.predict(theta, X),
        "theta",
        THETA.astype(np.float64),
        TypeError,
        "theta: got dtype float64, expected float32, the network's; theta.astype(np.float32) converts it",
    ),
    "x0_of_network": (
        lambda x0: descended(x0, f=MLP.on(X, Y)),
        "x0",
        np.zeros(MLP.dim),
        TypeError,
        "x0: got dtype float64, expected float32, the network's; x0.astype(np.float32) converts it",
    ),
    "x_of_network": (
        MLP.on(X, Y).grad,
        "x",
        np.zeros(MLP.dim),
        TypeError,
        "x: got dtype float64, expected float32, the network's; x.astype(np.float32) converts it",
    ),
}


def remedied(text: str, name: str, given: Any) -> Any:
    """What the advice at the end of an error makes of the argument."""
    advice = text.rpartition("; ")[2]
    for end in (" makes ", " converts ", " numbers "):
        advice = advice.partition(end)[0]
    return eval(advice, {"np": np, "torch": sys.modules.get("torch"), name: given})


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_refused_comes_with_what_makes_it_right(name: str) -> None:
    call, argument, given, kind, text = ARRAYS[name]
    with pytest.raises(kind) as caught:
        call(given)
    assert str(caught.value) == text
    call(remedied(text, argument, given))


def test_tensors_come_with_what_makes_them_right() -> None:
    torch: Any = pytest.importorskip("torch")
    for call, argument, given, text in (
        (
            descended,
            "x0",
            torch.ones(4, requires_grad=True),
            f"x0: got torch.Tensor, {POINT}; x0.detach().cpu().numpy() makes one",
        ),
        (
            lambda X: MLP.on(X, Y),
            "X",
            torch.from_numpy(X).double(),
            "X: got dtype float64, expected float32, the network's; X.to(torch.float32) converts it "
            "(or MLP(dtype='float64'))",
        ),
        (
            lambda y: MLP.on(X, y),
            "y",
            torch.from_numpy(Y).int(),
            f"y: got dtype int32, {CLASSES}; y.to(torch.int64) converts it",
        ),
    ):
        with pytest.raises(TypeError) as caught:
            call(given)
        assert str(caught.value) == text
        call(remedied(text, argument, given))


SAID: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "x0_none": (lambda: descended(None), TypeError, f"x0: got builtins.NoneType, {POINT}"),
    "x0_complex": (
        lambda: descended(np.ones(4, complex)),
        TypeError,
        "x0: got dtype complex128, expected float32 or float64",
    ),
    "X_narrow": (lambda: MLP.on(X[:, :2].copy(), Y), ValueError, "X: got shape (6, 2), expected (n, 3)"),
    "y_regression": (
        lambda: MLP.on(X, np.linspace(0.0, 1.0, 6)),
        TypeError,
        f"y: got dtype float64, {CLASSES}; loss='mse' takes targets that are no classes",
    ),
    "y_of_two_outputs": (
        lambda: MLP.on(X, X[:, 0].copy(), "mse"),
        ValueError,
        "y: got shape (6,), expected (n, 2) for the loss 'mse'",
    ),
    "lr_missing": (ol.SGD, TypeError, "lr: got none, expected it, as in SGD(lr=0.1)"),
    "learning_rate": (
        lambda: ol.SGD(learning_rate=0.1),
        TypeError,
        "SGD: unknown keyword 'learning_rate'; did you mean 'lr'?",
    ),
    "beta1": (lambda: ol.Adam(beta1=0.9), TypeError, "Adam: unknown keyword 'beta1'; did you mean 'betas'?"),
    "beta": (lambda: ol.Adam(beta=(0.9, 0.9)), TypeError, "Adam: unknown keyword 'beta'; did you mean 'betas'?"),
    "epsilon": (lambda: ol.AdamW(epsilon=1e-8), TypeError, "AdamW: unknown keyword 'epsilon'; did you mean 'eps'?"),
    "momentun": (
        lambda: ol.SGD(momentun=0),
        TypeError,
        "SGD: unknown keyword 'momentun'; did you mean 'momentum'?",
    ),
    "unlike_any": (
        lambda: ol.SGD(0.1, zzz=3),
        TypeError,
        "SGD: unknown keyword 'zzz'; there are: lr, momentum, dampening, weight_decay, nesterov, maximize, "
        "decoupled_weight_decay, clip_value, clip_norm, l1, max_norm, nonfinite, noise, seed, groups",
    ),
    "parameters_first": (
        lambda: ol.Adam([ONES], lr=1e-3),
        TypeError,
        "lr: got it by place and by keyword, expected once; Adam takes numbers only, and arrays go to init(x) and "
        "step(x, grad, state)",
    ),
    "landscape_called": (
        lambda: F(ONES),
        TypeError,
        "landscape: got a call f(x), expected f.value(x), f.grad(x) or another method",
    ),
    "gradient": (
        lambda: F.gradient(ONES),
        AttributeError,
        "StrictSaddle has no attribute 'gradient'; did you mean 'grad'?",
    ),
    "gradients": (
        lambda: F.gradients,
        AttributeError,
        "StrictSaddle has no attribute 'gradients'; did you mean 'grad'?",
    ),
    "hess": (lambda: CUSTOM.hess, AttributeError, "Custom has no attribute 'hess'; did you mean 'hessian'?"),
    "loss": (lambda: F.loss, AttributeError, "StrictSaddle has no attribute 'loss'; did you mean 'value'?"),
    "zzz": (lambda: F.zzz, AttributeError, "StrictSaddle has no attribute 'zzz'"),
    "mlp_called": (
        lambda: MLP(X),
        TypeError,
        "mlp: got a call mlp(X), expected mlp.predict(theta, X); mlp.init(seed=0) makes a theta",
    ),
    "schedule_name": (
        lambda: descended(schedule="cosine"),
        TypeError,
        "schedule: got 'cosine', expected a schedule or a function of an int64 array of steps; "
        "ol.schedules.Cosine(total) makes one",
    ),
    "schedule_class": (
        lambda: descended(schedule=ol.schedules.Step),
        TypeError,
        "schedule: got the class Step, expected a schedule or a function of an int64 array of steps; "
        "ol.schedules.Step(every) makes one",
    ),
    "schedule_number": (
        lambda: descended(schedule=0.5),
        TypeError,
        "schedule: got 0.5, expected a schedule or a function of an int64 array of steps",
    ),
    "optimizer_name": (
        lambda: descended(optimizer="sgd"),
        TypeError,
        "optimizer: got str, expected an optlab Optimizer, as ol.SGD(lr=0.1)",
    ),
    "optimizer_class": (
        lambda: descended(optimizer=ol.SGD),
        TypeError,
        "optimizer: got the class SGD, expected an optlab Optimizer, as ol.SGD(lr=0.1)",
    ),
    "landscape_function": (
        lambda: descended(f=lambda x: (x * x).sum()),
        TypeError,
        "landscape: got function, expected an optlab Landscape; ol.landscapes.Custom(dim, value, grad) makes one of "
        "functions, mlp.on(X, y) of a network",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name: str) -> None:
    call, kind, text = SAID[name]
    refused(call, kind, f"^{re.escape(text)}$")


def test_optimizers_show_their_arguments_and_pickle() -> None:
    assert list(inspect.signature(ol.SGD).parameters)[:3] == ["lr", "momentum", "dampening"]
    assert pickle.loads(pickle.dumps(ol.SGD(0.1, 0.9))) == ol.SGD(lr=0.1, momentum=0.9)


def test_landscapes_are_still_copied_and_asked_for_what_they_lack() -> None:
    copied = pickle.loads(pickle.dumps(F))
    assert copied.value(ONES) == F.value(ONES)
    assert not hasattr(F, "__array__") and getattr(F, "nothing", None) is None
