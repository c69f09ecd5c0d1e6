"""Beale's function."""

from __future__ import annotations

from optlab.landscape import CompiledLandscape


class Beale(CompiledLandscape):
    """f(x, y) = (3/2 − x + xy)² + (9/4 − x + xy²)² + (21/8 − x + xy³)².

    The minimum 0 lies at (3, ½), a strict saddle at (0, 1); the landscape is flat around them and steep at the corners
    of the customary box [−4.5, 4.5]².

    Example:
        >>> import numpy as np
        >>> f = Beale()
        >>> f.value(f.minima), f.grad(f.saddles)
        (array([0.]), array([[0., 0.]]))

    References:
        Beale, "On an iterative method of finding a local minimum of a function of more than one variable", 1958.
    """

    kind = "beale"

    def __init__(self) -> None:
        super().__init__(
            2,
            [],
            minima=[[3.0, 0.5]],
            saddles=[[0.0, 1.0]],
            minimum=0.0,
            start=[1.0, 1.5],
            bounds=[[-4.5, -4.5], [4.5, 4.5]],
        )
