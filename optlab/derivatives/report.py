"""What a check of derivatives found, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.derivatives.surveys import Survey


@dataclass(frozen=True)
class Part:
    """The worst entry of one kind of derivative: that whose error exceeds what is expected by the largest factor.

    Errors are relative to the largest entry, stated or numeric, of the same gradient or product among those checked.

    Attributes:
        what: "gradient" or "Hessian-vector product".
        method: "central differences" or "complex step".
        error: |stated − numeric| of the worst entry.
        expected: The most that rounding, truncation and kinks explain there.
        run: The row of x.
        coordinate: The entry's number; None for the slope along a random direction.
        stated: What the landscape says.
        numeric: What its function, or its gradient, shows.
        kink: Whether the slopes of the two sides differ there at the smallest step, too.
        ok: Whether every error is as expected.
    """

    what: str
    method: str
    error: float
    expected: float
    run: int
    coordinate: int | None
    stated: float
    numeric: float
    kink: bool
    ok: bool

    def __str__(self) -> str:
        entry = "the slope along a random direction" if self.coordinate is None else f"coordinate {self.coordinate}"
        verdict = "agrees with" if self.ok else "contradicts"
        kink = "; the slopes of the two sides differ there, as at a kink" if self.kink else ""
        return (
            f"The {self.what} {verdict} {self.method}: at worst, {entry} of run {self.run} is {self.stated:.9g} and "
            f"{self.numeric:.9g} numerically, a relative error of {self.error:.2g} where rounding and truncation "
            f"explain {self.expected:.2g}{kink}."
        )


@dataclass(frozen=True)
class GradientCheck:
    """What :func:`optlab.check_gradient` found.

    Attributes:
        gradient: The worst entry of the gradients.
        products: That of the Hessian-vector products; None where there are none, or only differences of gradients.
        coordinates: How many coordinates were checked one by one.
        directions: Along how many random directions all of them were checked together; 0 where each was alone.
    """

    gradient: Part
    products: Part | None
    coordinates: int
    directions: int

    @property
    def worst(self) -> Part:
        """The part that failed, the gradient first; the gradient where none did."""
        return self.products if self.products and self.gradient.ok else self.gradient

    @property
    def ok(self) -> bool:
        """Whether all is as expected."""
        return self.gradient.ok and (self.products is None or self.products.ok)

    def __str__(self) -> str:
        parts = [self.gradient, self.products] if self.ok else [self.worst]
        said = " ".join(str(part) for part in parts if part)
        if not self.directions:
            return said
        return f"{said} Checked were {self.coordinates} coordinates and {self.directions} random directions."


def worst(survey: Survey) -> Part:
    """The worst entry of a survey."""
    ratio = survey.ratio
    row, entry = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    numeric = survey.numeric
    largest = np.fmax(np.abs(survey.stated[row]), np.abs(numeric.value[row])).max()
    stated, value, bound = (float(each[row, entry]) for each in (survey.stated, numeric.value, numeric.bound))
    scale = float(largest) or 1.0
    return Part(
        what=survey.what,
        method=survey.method,
        error=abs(stated - value) / scale,
        expected=bound / scale,
        run=int(survey.runs[row]),
        coordinate=None if survey.coordinates is None else int(survey.coordinates[entry]),
        stated=stated,
        numeric=value,
        kink=bool(numeric.kinked[row, entry]),
        ok=bool(ratio.max() <= 1),
    )
