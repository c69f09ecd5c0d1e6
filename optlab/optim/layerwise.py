"""Optimizers that scale the step of every segment by a ratio of norms."""

from __future__ import annotations

from optlab.optim.optimizer import Optimizer


class Layerwise(Optimizer):
    """The decay is a part of the norms, so it has no decoupled form."""

    def _check(self) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        if self.decoupled_weight_decay:
            raise ValueError("decoupled_weight_decay: got True, expected False: the decay is a part of the norms")
