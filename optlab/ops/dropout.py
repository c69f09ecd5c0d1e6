"""Dropout whose mask is a function of its address: it is stored nowhere and drawn again wherever it is needed."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels
from optlab.kernels.select import cpu

Array = NDArray[Any]
DROPOUT: int = cpu.streams["DROPOUT"]


def dropout_forward(
    x: Array, p: float, seed: int, *, stream: int = DROPOUT, step: int = 0, run: int = 0, out: Array | None = None
) -> Array:
    """Inverted dropout: every element is kept with probability 1 − p and then divided by it.

    ::

        y = x k / (1 − p),    k = 1 where u >= p, else 0

    u is the float32 :func:`optlab.random.uniform` of the element's number in the flattened array at the same address
    (seed, stream, step, run), for float64 arrays too: both types see the same mask, and so do both directions. p is met
    to 2**-24. The product is taken literally: NaN stays NaN where it is dropped.

    Args:
        x: Any shape of at least one axis, float32 or float64, up to 2**34 elements.
        p: The probability of dropping an element, in [0, 1).
        seed: The key, 0 to 2**64 - 1.
        stream: See :data:`optlab.random.Stream`; every layer of a network takes its own stream or seed.
        step: The step, 0 to 2**48 - 1.
        run: The number of the run, 0 to 2**32 - 1.
        out: Where y goes; a new array by default.

    Raises:
        TypeError: an array has another dtype, or an option is no number.
        ValueError: an option is out of range, or ``out`` does not fit.

    Example:
        >>> import numpy as np
        >>> dropout_forward(np.ones(6), 0.5, seed=1)
        array([0., 0., 2., 0., 2., 0.])

    References:
        Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
        from overfitting", JMLR 2014.
    """
    return kernels(x).dropout(x, "x", p, seed, stream, step, run, out)  # type: ignore[no-any-return]


def dropout_backward(
    dy: Array, p: float, seed: int, *, stream: int = DROPOUT, step: int = 0, run: int = 0, out: Array | None = None
) -> Array:
    """The gradient of the loss by x: the same mask, drawn again. The options are those of :func:`dropout_forward`.

    Raises:
        TypeError: as in :func:`dropout_forward`.
        ValueError: as in :func:`dropout_forward`.

    Example:
        >>> import numpy as np
        >>> dropout_backward(np.ones(6), 0.5, seed=1)
        array([0., 0., 2., 0., 2., 0.])
    """
    return kernels(dy).dropout(dy, "dy", p, seed, stream, step, run, out)  # type: ignore[no-any-return]


def dropout_forward_tangent(
    x_dot: Array, p: float, seed: int, *, stream: int = DROPOUT, step: int = 0, run: int = 0, out: Array | None = None
) -> Array:
    """The derivative in the direction ``x_dot``: dropout is linear, so it is the forward pass of the direction.

    Raises:
        TypeError: as in :func:`dropout_forward`.
        ValueError: as in :func:`dropout_forward`.

    Example:
        >>> import numpy as np
        >>> dropout_forward_tangent(np.ones(6), 0.5, seed=1)
        array([0., 0., 2., 0., 2., 0.])
    """
    return kernels(x_dot).dropout(x_dot, "x_dot", p, seed, stream, step, run, out)  # type: ignore[no-any-return]


def dropout_backward_tangent(
    dy_dot: Array, p: float, seed: int, *, stream: int = DROPOUT, step: int = 0, run: int = 0, out: Array | None = None
) -> Array:
    """The derivative of :func:`dropout_backward` in the direction ``dy_dot``, likewise.

    Raises:
        TypeError: as in :func:`dropout_forward`.
        ValueError: as in :func:`dropout_forward`.

    Example:
        >>> import numpy as np
        >>> dropout_backward_tangent(np.ones(6), 0.5, seed=1)
        array([0., 0., 2., 0., 2., 0.])
    """
    return kernels(dy_dot).dropout(dy_dot, "dy_dot", p, seed, stream, step, run, out)  # type: ignore[no-any-return]
