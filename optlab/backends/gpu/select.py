"""Who computes a call: the CPU or the GPU, as its arrays say."""

from __future__ import annotations

from typing import Any

from optlab.backends.gpu.device import on_gpu
from optlab.kernels.select import cpu


def kernels(array: Any) -> Any:
    """The kernels where this array lives.

    Example:
        >>> import numpy as np
        >>> kernels(np.zeros(3)) is cpu
        True
    """
    if not on_gpu(array):
        return cpu
    from optlab.backends.gpu import ops  # when it is wanted, so that `import optlab` stays light

    return ops
