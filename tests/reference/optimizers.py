"""The update rules, from their docstrings and papers: one step of one segment, in the arithmetic of reference/rounding.

A rule is a function of (x, g, state, t, h): the point, the gradient with everything that is done to it before the rule,
the state by name, the number of the step from 1, and the hyperparameters by name. It returns the new x and states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from reference.rounding import Rounded, absolute, maximum, norm, one_minus_power, sqrt

State = dict[str, Rounded]
Given = dict[str, Any]
Rule = Callable[[Rounded, Rounded, State, int, Given], tuple[Rounded, State]]


def average(old: Rounded, new: Rounded, beta: float) -> Rounded:
    """β old + (1 − β) new."""
    return beta * old + (1 - beta) * new


def sgd(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """v ← μ v + (1 − dampening) g, v = g at first; x ← x − lr v, or x − lr (g + μ v)."""
    if h["momentum"] == 0:
        return x - h["lr"] * g, {}
    v = g if t == 1 else h["momentum"] * s["momentum_buffer"] + (1 - h["dampening"]) * g
    along = g + h["momentum"] * v if h["nesterov"] else v
    return x - h["lr"] * along, {"momentum_buffer": v}


def heavy_ball(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """x − lr g + μ (x − x_before), the difference being the state."""
    delta = h["momentum"] * s["delta"] - h["lr"] * g
    return x + delta, {"delta": delta}


def averaged_momentum(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """v ← β v + (1 − β) g, x ← x − lr v."""
    v = average(s["exp_avg"], g, h["momentum"])
    return x - h["lr"] * v, {"exp_avg": v}


def adagrad(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """s ← s + g², x ← x − lr / (1 + (t − 1) lr_decay) · g / (√s + eps)."""
    total = s["sum"] + g * g
    rate = h["lr"] / (1 + (t - 1) * h["lr_decay"])
    return x - rate * (g / (sqrt(total) + h["eps"])), {"sum": total}


def adadelta(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """d = RMS(past d) / RMS(g) · g, x ← x − lr d."""
    square = average(s["square_avg"], g * g, h["rho"])
    d = sqrt(s["acc_delta"] + h["eps"]) / sqrt(square + h["eps"]) * g
    return x - h["lr"] * d, {"square_avg": square, "acc_delta": average(s["acc_delta"], d * d, h["rho"])}


def rmsprop(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """g over the root of its mean square, or of its variance; with momentum or without."""
    new = {"square_avg": average(s["square_avg"], g * g, h["alpha"])}
    variance = new["square_avg"]
    if h["centered"]:
        new["grad_avg"] = average(s["grad_avg"], g, h["alpha"])
        variance = maximum(variance - new["grad_avg"] * new["grad_avg"], 0.0)
    move = g / (sqrt(variance) + h["eps"])
    if h["momentum"]:
        move = new["momentum_buffer"] = h["momentum"] * s["momentum_buffer"] + move
    return x - h["lr"] * move, new


def moments(g: Rounded, s: State, betas: tuple[float, float]) -> State:
    """Adam's averages of g and g²."""
    return {
        "exp_avg": average(s["exp_avg"], g, betas[0]),
        "exp_avg_sq": average(s["exp_avg_sq"], g * g, betas[1]),
    }


def adam(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """x ← x − lr m̂ / (√v̂ + eps); with amsgrad the largest v so far."""
    new = moments(g, s, h["betas"])
    m, v = new["exp_avg"], new["exp_avg_sq"]
    if h["amsgrad"]:
        v = new["max_exp_avg_sq"] = maximum(s["max_exp_avg_sq"], v)
    if h["bias_correction"]:
        m, v = m / one_minus_power(m, h["betas"][0], t), v / one_minus_power(v, h["betas"][1], t)
    return x - h["lr"] * (m / (sqrt(v) + h["eps"])), new


def adamax(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """u ← max(β₂ u, |g| + eps), x ← x − lr / (1 − β₁ᵗ) · m / u."""
    m = average(s["exp_avg"], g, h["betas"][0])
    u = maximum(h["betas"][1] * s["exp_inf"], absolute(g) + h["eps"])
    return x - h["lr"] / one_minus_power(m, h["betas"][0], t) * (m / u), {"exp_avg": m, "exp_inf": u}


def warm_momentum(t: int, beta1: float, decay: float) -> float:
    """μ_t of NAdam."""
    return beta1 * (1 - 0.5 * 0.96 ** (t * decay))


def nadam(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """(1 − μ_t) / (1 − M_t) g + μ_{t+1} / (1 − M_{t+1}) m over √v̂ + eps."""
    new = moments(g, s, h["betas"])
    mu = [warm_momentum(i, h["betas"][0], h["momentum_decay"]) for i in range(1, t + 2)]
    product = math.prod(mu[:-1])
    ahead = (1 - mu[-2]) / (1 - product) * g + mu[-1] / (1 - product * mu[-1]) * new["exp_avg"]
    v = new["exp_avg_sq"] / one_minus_power(x, h["betas"][1], t)
    return x - h["lr"] * (ahead / (sqrt(v) + h["eps"])), new


def trust_ratio(weights: Rounded, other: Rounded, quotient: Rounded) -> Any:
    """The quotient of norms, or 1 where a norm is zero."""
    return 1.0 if weights.value == 0 or other.value == 0 else quotient


def lars(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """v ← μ v + lr r (g + decay w), w ← w − v with r = η |w| / (|g| + decay |w| + eps)."""
    w_norm, g_norm, decay = norm(x), norm(g), h["weight_decay"]
    ratio = trust_ratio(w_norm, g_norm, h["trust_coefficient"] * w_norm / (g_norm + decay * w_norm + h["eps"]))
    v = h["momentum"] * s["momentum_buffer"] + h["lr"] * ratio * (g + decay * x)
    return x - v, {"momentum_buffer": v}


def lamb(x: Rounded, g: Rounded, s: State, t: int, h: Given) -> tuple[Rounded, State]:
    """w ← w − lr |w| / |u| u with u = m̂ / (√v̂ + eps) + decay w."""
    new = moments(g, s, h["betas"])
    m = new["exp_avg"] / one_minus_power(x, h["betas"][0], t)
    v = new["exp_avg_sq"] / one_minus_power(x, h["betas"][1], t)
    u = m / (sqrt(v) + h["eps"]) + h["weight_decay"] * x
    w_norm, u_norm = norm(x), norm(u)
    return x - h["lr"] * trust_ratio(w_norm, u_norm, w_norm / u_norm) * u, new


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "HeavyBall": heavy_ball,
    "AveragedMomentum": averaged_momentum,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adam,
    "Adamax": adamax,
    "NAdam": nadam,
    "LARS": lars,
    "LAMB": lamb,
}
LAYERWISE = ("LARS", "LAMB")
