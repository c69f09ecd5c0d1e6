"""Studies and landscapes that the tests of the GPU run: every option."""

from __future__ import annotations

from typing import Any

import numpy as np

import optlab as ol
from optlab.layout import Segment


def segmented(f: ol.Landscape, *sizes: int) -> ol.Landscape:
    """The same function with its point in segments "0", "1", ..., which layerwise rules and groups tell apart."""
    begins = np.cumsum([0, *sizes])
    f.layout = tuple(Segment(str(k), int(begins[k]), (size,)) for k, size in enumerate(sizes))
    return f


def saddle(dim: int = 7, **options: Any) -> ol.Landscape:
    return ol.landscapes.StrictSaddle(dim=dim, negative=min(2, dim), **options)


def least_squares(dim: int = 7, samples: int = 40) -> ol.landscapes.LeastSquares:
    rng = np.random.default_rng(dim)
    A = rng.normal(size=(samples, dim)) / np.sqrt(dim)
    return ol.landscapes.LeastSquares(A, A @ rng.normal(size=dim) + rng.normal(size=samples))


def per_run(runs: int) -> ol.Optimizer:
    """Hyperparameters that each run has for itself."""
    return ol.Adam(lr=np.linspace(0.0, 0.1, runs), betas=(0.9, np.linspace(0.9, 0.99, runs)), weight_decay=0.1)


AROUND: dict[str, ol.Optimizer] = {
    "maximize": ol.SGD(lr=0.01, maximize=True),
    "coupled_decay": ol.Adam(lr=0.05, weight_decay=0.1),
    "decoupled_decay": ol.AdamW(lr=0.05, weight_decay=0.1),
    "l1": ol.SGD(lr=0.05, l1=0.3),
    "clip_value": ol.SGD(lr=0.05, clip_value=0.2),
    "clip_norm": ol.SGD(lr=0.05, momentum=0.9, clip_norm=0.5),
    "max_norm": ol.SGD(lr=0.05, max_norm=1.5),
    "all": ol.Adam(lr=0.05, weight_decay=0.1, l1=0.01, clip_value=0.3, clip_norm=0.5, max_norm=1.5),
}
"""What stands around every rule."""

JUMPS = ol.Perturbation(radius=0.05, grad_norm=0.3, wait=5)
STRICT = ol.Perturbation(radius=0.05, grad_norm=0.3, wait=7, decrease=1e-2)
FEATURES: dict[str, dict[str, Any]] = {
    "noise": {"noise": 1e-3},
    "gradient_noise": {"gradient_noise": 0.3},
    "noise_per_coordinate": {"gradient_noise": np.linspace(0, 1, 7)},
    "schedule": {"schedule": lambda t: 1 / (1 + 0.1 * t)},
    "stops": {
        "stop": [
            ol.stop.nonfinite(),
            ol.stop.leaves_ball(2.0, np.linspace(-0.1, 0.2, 7), coordinates=[0, 1]),
            ol.stop.leaves_box(-1.9, 1.9),
            ol.stop.near(0.3, 0.9),
        ]
    },
    "stops_by_value": {"stop": ol.stop.value(-0.49)},
    "stops_by_norm": {"stop": [ol.stop.grad_norm(0.2), ol.stop.leaves_ball(3.0)]},
    "jumps": {"perturbation": JUMPS},
    "jumps_that_must_help": {"perturbation": STRICT, "seed": 3},
    "nothing_recorded": {"record": [], "noise": 1e-3},
    "statistics_only": {"record": 3, "record_x": False},
    "late": {
        "noise": 1e-3,
        "gradient_noise": 0.1,
        "first_step": 2**40,
        "first_run": 5,
        "record": [2**40 + 1, 2**40 + 9],
    },
    "together": {
        "noise": 1e-4,
        "gradient_noise": 0.05,
        "schedule": lambda t: np.cos(t) ** 2,
        "stop": [ol.stop.leaves_ball(3.0), ol.stop.grad_norm(0.05), ol.stop.value(-0.6)],
        "perturbation": STRICT,
        "first_run": 7,
        "seed": 2**64 - 1,
    },
}
"""What a study may do beside its steps."""


def starts(f: ol.Landscape, runs: int, dtype: Any, seed: int = 0) -> np.ndarray:
    """Seeded points near the customary start, some of them far out, where rules and bounds are met."""
    rng = np.random.default_rng(seed)
    return (f.start + rng.normal(size=(runs, f.dim)) * rng.choice([0.1, 1.0], (runs, 1))).astype(dtype)
