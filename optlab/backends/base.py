"""What the core asks of whoever computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from optlab.backends.specs import Frozen, LossSpec, NetworkSpec, StepPlan, StudySetup
from optlab.typing import Array, DType


class Evaluator(Protocol):
    """A landscape in one number type, where it is computed."""

    def evaluate(
        self,
        x: Array,
        *,
        value: Array | None = None,
        grad: Array | None = None,
        hvp: Array | None = None,
        v: Array | None = None,
        batch: Array | None = None,
    ) -> None:
        """Fills the arrays that are given, at points ``(dim,)`` or ``(runs, dim)``."""


class Evaluators(Protocol):
    """Makes evaluators of one number type."""

    def listed(self, kind: str, dim: int, coefficients: list[Array], rotation: Array | None) -> Evaluator:
        """A landscape of the C++ list."""

    def least_squares(self, A: Array, b: Array) -> Evaluator:
        """|A x − b|² / (2 n)."""


class AnyStudy(Protocol):
    """A study whose steps are taken in compiled code."""

    @property
    def step(self) -> int:
        """The step that it has come to."""

    @property
    def any_active(self) -> bool:
        """Whether a run goes on."""

    def settle(self) -> None:
        """Tests and records the last point."""

    def flush(self) -> None:
        """Makes the caller's arrays say what the study has come to."""


class CompiledStudy(AnyStudy, Protocol):
    """A study of a landscape in compiled code, which takes its steps when told."""

    def advance(self, steps: int, factors: NDArray[np.float64]) -> None:
        """Takes steps, with these factors on the learning rate."""


class OutsideStudy(AnyStudy, Protocol):
    """A study of a landscape that Python evaluates, which takes one step at a time."""

    def begin(self, value: Array, grad: Array) -> bool:
        """Tests, records and perturbs by these; says whether a point jumped, so that the gradient is wanted again."""

    def end(self, grad: Array, factor: float) -> None:
        """Takes the step that :meth:`begin` began."""


class Updater(Protocol):
    """An optimizer's steps."""

    def step(self, optimizer: Any, x: Any, grad: Any, state: dict[str, Array], rates: list[float] | None) -> None:
        """See :meth:`optlab.optim.Optimizer.step`."""

    def step_rows(
        self, optimizer: Any, x: Any, rows: Array, grad: Any, state: dict[str, Array], rates: list[float] | None
    ) -> None:
        """See :meth:`optlab.optim.SparseAdam.step`."""


class Backend(Protocol):
    """Where a computation takes place. Landscapes and studies ask this, and never where that is."""

    @property
    def device(self) -> object:
        """What computes: whatever was made for another device does not fit."""

    @property
    def xp(self) -> Any:
        """The array module."""

    @property
    def studies_bytes(self) -> bool:
        """Whether studies take averages that are kept in bytes as they are, and not unpacked."""

    def check_point(self, x: Array, name: str) -> None:
        """Refuses what is no float32 or float64 array ``(dim,)`` or ``(runs, dim)`` that is computed here."""

    def check_array(self, x: Array, name: str) -> None:
        """Refuses what is no array of floats in one piece of memory."""

    def checked(self, array: Array, name: str) -> Array:
        """A caller's array as kernels take it here."""

    def empty(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """Memory for kernels here."""

    def zeros(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """The same, of zeros."""

    def upload(self, array: NDArray[Any]) -> Array:
        """An array of our own, made by NumPy, as kernels take it here."""

    def result(self, like: Array, out: Array | None) -> Array:
        """Memory for a result like an array: the caller's own, where that is given and can be written to here."""

    def returned(self, array: Array, out: Array | None = None) -> Array:
        """A result as the caller gets it, in ``out`` where that is given."""

    def updater(self, rule: str) -> Updater:
        """What takes the steps of a rule of the C++ list."""

    def evaluators(self, dtype: DType) -> Evaluators:
        """What makes evaluators here."""

    def network(
        self, spec: NetworkSpec, loss: LossSpec, dtype: DType, X: Array | None, y: Array | None, frozen: Frozen
    ) -> Any:
        """A network on data."""

    def study(self, f: Evaluator, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> CompiledStudy:
        """A study of a landscape that is computed here."""

    def outside_study(self, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> OutsideStudy:
        """A study of a landscape that Python evaluates at every step."""
