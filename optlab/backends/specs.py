"""What the core hands over to whoever computes: checked numbers, which compiled code and the GPU read by attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from optlab.perturbation import Perturbation
from optlab.stop import StopRule

PRODUCTS = ("float32", "tf32", "bf16")
"""How float32 matrices may be multiplied on a GPU: with all digits, or with 10 or 7 bits of the factors' fractions."""


@dataclass(frozen=True)
class StudySetup:
    """The checked arguments of :func:`optlab.descend`, as compiled code reads them.

    Attributes:
        runs: How many points there are.
        dim: Their coordinates.
        first_run: The number of the first run.
        first_step: The step at which the points stand.
        last_step: The step at which the study ends.
        rule_step: How many steps the optimizer's state has seen.
        seed: Of all that is drawn.
        batch_size: Samples per step of a finite sum; 0 for all of them.
        sampling: How they are chosen: "replacement", "shuffle" or "order".
        noise: The standard deviation of the noise after each update.
        gradient_noise: That of the noise in the gradient, ``(dim,)``, or None.
        perturbation: Jumps where the gradient is small, or None.
        held: The coordinates that do not move.
        record_steps: The steps that are recorded, in order.
        stops: The stopping rules, made for this dimension.
        looks: Whether runs that are no longer finite are looked for.
    """

    runs: int
    dim: int
    first_run: int
    first_step: int
    last_step: int
    rule_step: int
    seed: int
    batch_size: int
    sampling: str
    noise: float
    gradient_noise: NDArray[np.float64] | None
    perturbation: Perturbation | None
    held: tuple[int, ...]
    record_steps: tuple[int, ...]
    stops: tuple[StopRule, ...]
    looks: bool


@dataclass(frozen=True)
class StepPlan:
    """An optimizer's numbers for states of one layout, as compiled code reads them.

    Attributes:
        rule: The name of the update rule in the C++ list.
        flags: The options of the element loop, as ``cpu.MAXIMIZE``.
        quantized: Whether the two averages of the rule are kept in bytes.
        nonfinite: What a gradient that is NaN or infinite does: 0 passes on, 1 raises, 2 skips the step.
        clip_norm: The bound on the norm of a run's gradient; infinite for none.
        max_norm: That on the norm of a run's x.
        sizes: The elements of each segment.
        parameters: (segments, 1 or runs, hyperparameters): those around every rule, then the rule's own.
        runs_axis: Whether the first axis of x is runs.
        list: Whether x is a list of arrays.
        noise: The variance of the noise after each step.
        seed: Of that noise.
    """

    rule: str
    flags: int
    quantized: bool
    nonfinite: int
    clip_norm: float
    max_norm: float
    sizes: tuple[int, ...]
    parameters: NDArray[np.float64]
    runs_axis: bool
    list: bool
    noise: float
    seed: int


Frozen: TypeAlias = tuple[int, int, int] | None
"""The seed, step and run whose draws a landscape shows, or None for the whole of it."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network.

    Attributes:
        inputs: The units before it.
        outputs: Its own.
        weight: Where its matrix begins in the flat vector of parameters; so the next three, -1 for what it has not.
        bias: The vector that is added.
        gamma: The scales of its normalization.
        beta: The shifts.
        norm: "batch", "group" or "" for none.
        groups: Of a group normalization; 1 is layer normalization.
        norm_after: Whether that stands behind the activation.
        averages: How many averaged means come before its own.
        dropped_before: How many hidden units do, which address the masks.
        last: Whether it has neither activation nor normalization.
    """

    inputs: int
    outputs: int
    weight: int
    bias: int
    gamma: int
    beta: int
    norm: str
    groups: int
    norm_after: bool
    averages: int
    dropped_before: int
    last: bool


@dataclass(frozen=True)
class NetworkSpec:
    """A network without its data; :class:`optlab.nn.MLP` says what the numbers mean.

    Attributes:
        dim: How many parameters it has.
        layers: From the inputs on.
        activation: Its name.
        parameter: The activation's, or None for its own default.
        dropout: The probability of dropping a hidden unit.
        eps: What normalization adds to the variance.
        momentum: The share of a new batch in the running averages.
        norm_noise: (shift, scale, spread) of noise behind normalization, or None.
    """

    dim: int
    layers: tuple[LayerSpec, ...]
    activation: str
    parameter: float | None
    dropout: float
    eps: float
    momentum: float
    norm_noise: tuple[float, float, float] | None


@dataclass(frozen=True)
class LossSpec:
    """The loss of a network on data; :class:`optlab.nn.NetworkLandscape` says what the numbers mean."""

    loss: str = "mse"
    delta: float = 1.0
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    l1: float = 0.0
    jacobian: float = 0.0
    products: str = "float32"
