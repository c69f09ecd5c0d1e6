"""Rastrigin's function."""

from __future__ import annotations

import numpy as np

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape


class Rastrigin(CompiledLandscape):
    """f(x) = Σ xᵢ² + a (1 − cos 2πxᵢ): a bowl full of local minima, the global one 0 at 0.

    Raises:
        ValueError: amplitude < 0 or dim < 1.

    Example:
        >>> import numpy as np
        >>> Rastrigin().value(np.array([[0.0, 0.0], [0.5, 0.0]]))
        array([ 0.  , 20.25])

    References:
        Rastrigin, "Systems of extremal control", 1974; the customary form is that of Mühlenbein et al., 1991.
    """

    kind = "rastrigin"

    def __init__(self, dim: int = 2, amplitude: float = 10.0) -> None:
        dim, self.amplitude = integer("dim", dim, 1, 2**33), real("amplitude", amplitude, 0.0)
        super().__init__(
            dim,
            [np.full(dim, self.amplitude)],
            minima=np.zeros((1, dim)),
            minimum=0.0,
            start=np.full(dim, 3.3),
            bounds=[np.full(dim, -5.12), np.full(dim, 5.12)],
        )
