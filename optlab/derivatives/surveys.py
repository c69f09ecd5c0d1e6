"""The derivatives that a landscape states beside those that its function, or its gradient, has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optlab.derivatives.differences import Estimate, Moves, Vector, complex_steps, jumps, slopes
from optlab.derivatives.noise import scales, signs, wobble
from optlab.landscape import Landscape

Array = NDArray[Any]
Numbers = NDArray[np.intp]
PRODUCTS = 3
"""Directions of Hessian-vector products in each run."""
OWN = 16.0
"""By how much the rounding of a stated slope may exceed the most that was measured."""
LEAST = 4.0
"""Units in the last place of the largest slope of a row by which every other may be off."""
METHODS = {False: "central differences", True: "complex step"}


class Survey(NamedTuple):
    """Stated and numeric slopes, ``(rows, entries)``.

    Attributes:
        what: "gradient" or "Hessian-vector product".
        method: How the numeric ones were found.
        stated: What the landscape says.
        numeric: What it should be, and the most by which the two may differ.
        runs: The run of each row.
        coordinates: The coordinate of each entry; None where they are directions.
    """

    what: str
    method: str
    stated: Vector
    numeric: Estimate
    runs: Numbers
    coordinates: Numbers | None

    @property
    def ratio(self) -> Vector:
        """The error over the bound; infinite where there is no number."""
        error, bound = np.abs(self.stated - self.numeric.value), self.numeric.bound
        ratio = np.divide(error, bound, out=np.where(error > 0, np.inf, 0.0), where=bound > 0)
        return np.where(np.isfinite(error + bound), ratio, np.inf)


class Subject:
    """A landscape at points ``(runs, dim)``, and its most precise form, of which differences are taken."""

    def __init__(self, f: Landscape, x: Array, seed: int) -> None:
        self.f, self.x, self.seed = f, x, seed
        self.exact, self.at = f.precise(), x.astype(np.float64)
        try:
            self.exact.value(self.at)
        except TypeError:  # it takes float32 alone
            self.exact, self.at = f, x
        self.scale = scales(self.at)
        self.noise = wobble(self._values, self.at, seed).rounding
        found = wobble(lambda at: f.grad(at).astype(np.float64), x, seed)
        self.gradient, self.own = found.center, self._own(*found)

    def _own(self, stated: Vector, rounding: Vector) -> Vector:
        """The rounding of what is stated: that of its points, and some units in the last place."""
        return np.asarray(OWN * (rounding + np.finfo(self.x.dtype).eps * np.abs(stated)))

    def _values(self, at: Array) -> Vector:
        return np.asarray(self.exact.value(at), np.float64)[:, None]

    def _gradients(self, at: Array) -> Vector:
        return self.exact.grad(at).astype(np.float64)

    def _slope(self, at: Array, move: Array) -> Vector:
        return np.asarray((self._gradients(at) * move).sum(axis=1))

    def _products(self, at: Array, v: Array) -> Vector:
        return self.exact.hvp(at, v).astype(np.float64)

    def axes(self, coordinates: Numbers) -> Survey:
        """The gradient's coordinates, in every run."""
        every, width, unit = np.arange(self.f.dim), len(coordinates), self.scale[:, coordinates]

        def moves(items: Numbers) -> Array:
            axis = coordinates[items % width, None] == every
            return np.where(axis, self.scale[items // width], 0)

        found = self._survey(moves, self.gradient[:, coordinates] * unit, self.own[:, coordinates] * unit)
        value, bound, kinked = found.numeric
        numeric = Estimate(value / unit, bound / unit, kinked)
        return found._replace(stated=found.stated / unit, numeric=numeric, coordinates=coordinates)

    def along(self, rows: Vector) -> Survey:
        """The gradient's products with ``rows · scale``, in every run."""

        def moves(items: Numbers) -> Array:
            signed = rows[items % len(rows)].astype(self.at.dtype)
            return np.multiply(signed, self.scale[items // len(rows)])

        return self._survey(moves, (self.gradient * self.scale) @ rows.T, (self.own * self.scale) @ np.abs(rows.T))

    def _survey(self, moves: Moves, stated: Vector, own: Vector) -> Survey:
        """Slopes of the function along moves of each run, ``(runs, moves)``, by complex steps or differences."""
        each = np.arange(len(self.x))
        runs = np.repeat(each, stated.shape[1])
        found = slopes(self._values, self.at, moves, runs, self.noise)
        finer = complex_steps(self.f, self.at, moves, runs, found)
        value, bound, kinked = finer or found
        numeric = Estimate(value.reshape(stated.shape), bound.reshape(stated.shape), kinked.reshape(stated.shape))
        survey = Survey("gradient", METHODS[finer is not None], stated, self._allowing(numeric, own), each, None)
        wrong = np.flatnonzero(survey.ratio > 1)
        if wrong.size:
            explained = jumps(self._slope, self.at[runs[wrong]], moves(wrong))
            survey.numeric.bound.flat[wrong] = excused(survey, explained, np.unravel_index(wrong, stated.shape))
        return survey

    def products(self) -> Survey:
        """Hessian-vector products along some directions, in every run, against differences of the gradient."""
        noise = wobble(self._gradients, self.at, self.seed).rounding
        rows = signs(PRODUCTS, self.f.dim, self.seed, "products")
        stated, found = zip(*(self._product(row, noise) for row in rows), strict=True)
        numeric = Estimate(*(np.concatenate(each) for each in zip(*found, strict=True)))
        runs, every = np.tile(np.arange(len(self.x)), PRODUCTS), np.arange(self.f.dim)
        survey = Survey("Hessian-vector product", METHODS[False], np.concatenate(stated), numeric, runs, every)
        wrong = np.flatnonzero((survey.ratio > 1).any(axis=1))
        if wrong.size:
            moves = np.repeat(rows, len(self.x), axis=0)[wrong].astype(self.at.dtype) * self.scale[runs[wrong]]
            explained = jumps(self._products, self.at[runs[wrong]], moves)
            survey.numeric.bound[wrong] = excused(survey, explained, wrong)
        return survey

    def _product(self, row: Vector, noise: Vector) -> tuple[Vector, Estimate]:
        move = np.multiply(self.scale, row.astype(self.at.dtype))
        v, size = move.astype(self.x.dtype), self.x.dtype.type(abs(row[0]))

        def product(at: Array) -> Vector:  # v moves by as many units in the last place as x
            return np.asarray(self.f.hvp(at, v + (at - self.x) * size), np.float64)

        stated = wobble(product, self.x, self.seed)
        found = slopes(self._gradients, self.at, lambda items: move[items], np.arange(len(self.x)), noise)
        return stated.center, self._allowing(found, self._own(*stated))

    def _allowing(self, found: Estimate, own: Vector) -> Estimate:
        """The estimate with the rounding of what is stated, and the bits that an entry has beside its row's largest."""
        least = LEAST * np.finfo(self.x.dtype).eps * np.abs(found.value).max(axis=1, keepdims=True)
        return found._replace(bound=found.bound + own + least)


def excused(survey: Survey, explained: Vector, where: Any) -> Vector:
    """The bounds of some entries with what kinks explain that the slopes of the two sides did not show."""
    bound = survey.numeric.bound[where]
    return np.asarray(np.where(survey.numeric.kinked[where], bound, np.maximum(bound, explained)))
