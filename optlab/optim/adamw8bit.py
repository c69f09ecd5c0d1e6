"""AdamW with its state in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from optlab.kernels.select import cpu
from optlab.optim.adamw import AdamW
from optlab.optim.point import Like, State
from optlab.optim.rule import state_names
from optlab.optim.state_format import Format, read

BLOCK: int = cpu.QUANTIZED_BLOCK


@dataclass(frozen=True)
class AdamW8bit(AdamW):
    """AdamW whose two averages take a byte each and a float32 scale for every block of 256 elements.

    A step moves 16 bytes of memory for each parameter in the place of AdamW's 28. After Dettmers et al., with two
    changes: the code is computed, not looked up in a table of quantiles, and rounding is dithered. A byte holds a small
    floating-point number, relative to the largest magnitude of its block::

        exp_avg        sign, 4 bits of exponent, 3 of mantissa:   0 and 1.25 · 2⁻¹⁶ … 1
        exp_avg_sq     5 bits of exponent, 3 of mantissa:         1.125 · 2⁻³² … 1; smaller ones round up

    so that neighbours differ by 1/16 to 1/8 of their size: one rounding moves an average by less than an eighth of
    itself. Up or down is decided by a hash of step, element and run, up with the probability of the fraction: over many
    steps the mean is right, and an average that changes by less than the gap is not stuck. Averages of a block whose
    largest is below 2⁻⁹⁰ count as zero. An infinite or NaN gradient spoils the averages of its block. Blocks begin anew
    with each segment.

    float32 only. Hyperparameters as :class:`AdamW`, without amsgrad. State: ``exp_avg`` and ``exp_avg_sq`` (uint8, of
    the shape of x), ``exp_avg_scale`` and ``exp_avg_sq_scale`` (float32, one for each block).

    Raises:
        TypeError: a hyperparameter is not a number, or x is not float32.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = AdamW8bit(lr=0.1), np.ones(1000, np.float32)
        >>> state = opt.init(x)
        >>> opt.step(x, np.full(1000, 3.0, np.float32), state)
        >>> sum(array.nbytes for name, array in state.items() if name.startswith("exp_avg"))
        2032

    References:
        Dettmers, Lewis, Shleifer and Zettlemoyer, "8-bit optimizers via block-wise quantization", 2022.
    """

    _quantized: ClassVar[bool] = True

    def _check(self) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        if self.amsgrad:
            raise ValueError("amsgrad: got True, expected False: the state has room for two averages")

    def _kind(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "adam_8bit"

    def _empty_state(self, like: Like, described: Format) -> State:
        """See :class:`optlab.optim.rule.Rule`.

        Raises:
            TypeError: x is not float32.
        """
        if like.dtype != np.float32:
            raise TypeError(f"x: got dtype {like.dtype}, expected float32, since the state is in bytes")
        runs = like.shape[:1] if described.runs_axis and len(like.shape) > 1 else ()
        blocks = sum(-(-segment.size // BLOCK) for segment in described.layout)
        state: State = {name: like.zeros(like.shape, np.dtype(np.uint8)) for name in state_names(self)}
        return state | {f"{name}_scale": like.zeros((*runs, blocks), like.dtype) for name in state_names(self)}

    def _unpacked(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See :class:`optlab.optim.rule.Rule`: the float32 numbers that the bytes stand for."""
        arrays = {name: np.empty(state[name].shape, np.float32) for name in state_names(self)}
        self._convert(arrays, state, back=False)
        return arrays

    def _pack(self, arrays: Mapping[str, NDArray[Any]], state: State) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        self._convert(arrays, state, back=True)

    def _convert(self, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, NDArray[Any]], back: bool) -> None:
        sizes = [segment.size for segment in read(np.asarray(state["format"]), self._kind()).layout]
        begins, blocks = np.cumsum([0, *sizes]), np.cumsum([0, *(-(-size // BLOCK) for size in sizes)])
        for run in range(len(state["exp_avg"])):
            for k in range(len(sizes)):
                part, scales = slice(begins[k], begins[k + 1]), slice(blocks[k], blocks[k + 1])
                cpu.decode_states(
                    tuple(arrays[name][run, part] for name in state_names(self)),
                    tuple(state[name][run, part] for name in state_names(self)),
                    tuple(state[f"{name}_scale"][run, scales] for name in state_names(self)),
                    back,
                )
