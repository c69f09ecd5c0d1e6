"""Batch normalization in float64: the plain composite, and the chain rule one variable at a time as it is taught.

Everything also runs on complex numbers, so that a derivative in a direction is the imaginary part of a complex step.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def centred(x: Any) -> tuple[Any, Any]:
    """The mean, and x - mean free of the rounding of the mean."""
    mean = x.mean(0)
    rest = x - mean
    return mean + rest.mean(0), rest - rest.mean(0)


def forward(x: Any, gamma: Any = 1.0, beta: Any = 0.0, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """(y, mean, rstd)."""
    mean, rest = centred(x)
    rstd = 1 / np.sqrt((rest**2).mean(0) + eps)
    return rest * rstd * gamma + beta, mean, rstd


def backward(dy: Any, x: Any, gamma: Any, mean: Any, rstd: Any) -> tuple[Any, Any, Any]:
    """The composite (dx, dgamma, dbeta)."""
    n, normalized = len(x), (x - mean) * rstd
    dbeta, dgamma = dy.sum(0), (dy * normalized).sum(0)
    return gamma * rstd * (dy - dbeta / n - normalized * dgamma / n), dgamma, dbeta


def backward_by_steps(dy: Any, x: Any, gamma: Any = 1.0, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """(dx, dgamma, dbeta) by the chain rule through x̂, then σ², then μ, then x."""
    n = len(x)
    mean = x.mean(0)
    variance = ((x - mean) ** 2).mean(0)
    normalized = (x - mean) / np.sqrt(variance + eps)

    d_gamma = (dy * normalized).sum(0)
    d_beta = dy.sum(0)
    d_normalized = dy * gamma
    d_variance = (d_normalized * (x - mean)).sum(0) * -0.5 * (variance + eps) ** -1.5
    d_mean = -d_normalized.sum(0) / np.sqrt(variance + eps) + d_variance * (-2 * (x - mean)).mean(0)
    d_x = d_normalized / np.sqrt(variance + eps) + d_variance * 2 * (x - mean) / n + d_mean / n
    return d_x, d_gamma, d_beta


def tangent(x: Any, dots: Any, mean: Any, rstd: Any, gamma: Any, gamma_dot: Any, beta_dot: Any) -> tuple[Any, Any, Any]:
    """(y_dot, mean_dot, rstd_dot) at these statistics, by the product rule."""
    normalized = (x - mean) * rstd
    mean_dot, rstd_dot = dots.mean(0), -(rstd**2) * (normalized * dots).mean(0)
    moved = (dots - mean_dot) * rstd + (x - mean) * rstd_dot
    return moved * gamma + normalized * gamma_dot + beta_dot, mean_dot, rstd_dot


def sizes(dy: Any, rest: Any, gamma: Any, rstd: Any) -> tuple[Any, Any, Any]:
    """The terms of the composite gradients, all with a plus; `rest` is |x - mean|.

    Of numbers >= 0, it bounds what is added up on the way to (dx, dgamma, dbeta); its derivative does for theirs. From
    x̂ its own mean is taken, since the mean that is given is rounded.
    """
    n, normalized = len(rest), rest * rstd
    normalized = normalized + normalized.mean(0)
    dbeta, dgamma = dy.sum(0), (dy * normalized).sum(0)
    return gamma * rstd * (dy + dbeta / n + normalized * dgamma / n), dgamma, dbeta


def eval_forward(x: Any, mean: Any, var: Any, gamma: Any = 1.0, beta: Any = 0.0, eps: float = 1e-5) -> Any:
    """Y with given statistics."""
    return (x - mean) / np.sqrt(var + eps) * gamma + beta


def eval_backward(dy: Any, x: Any, mean: Any, var: Any, gamma: Any = 1.0, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """(dx, dgamma, dbeta) with given statistics."""
    rstd = 1 / np.sqrt(var + eps)
    return dy * gamma * rstd, (dy * (x - mean) * rstd).sum(0), dy.sum(0)


STEP = 1e-100


def along(function: Any, *pairs: tuple[Any, Any]) -> Any:
    """The derivative of function, from (value, direction) of each argument; None stands for no motion."""
    arguments = [value if dot is None else value + 1j * STEP * dot for value, dot in pairs]
    results = function(*arguments)
    return tuple(np.imag(result) / STEP for result in results) if isinstance(results, tuple) else results.imag / STEP
