"""How many threads the kernels use. Results never depend on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

from optlab.checks import integer
from optlab.kernels.select import cpu

_default = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_here: ContextVar[int | None] = ContextVar("optlab_threads", default=None)


def current() -> int:
    """The number of threads a kernel called here would use."""
    here = _here.get()
    return _default if here is None else here


def set_default(n: int) -> None:
    """Sets the number of threads of the whole process; it starts as the number of usable cores.

    Raises:
        TypeError: n is not a whole number.
        ValueError: n is not between 1 and 4096.
    """
    global _default
    _default = integer("threads", n, 1, 4096)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Uses ``n`` threads inside the ``with`` block, in this context (thread or task) only.

    Raises:
        TypeError: n is not a whole number.
        ValueError: n is not between 1 and 4096.

    Example:
        >>> import optlab as ol
        >>> with ol.threads(1):
        ...     alone = ol.random.normal((100, 1000), seed=7)
        >>> bool((ol.random.normal((100, 1000), seed=7) == alone).all())
        True
    """
    token = _here.set(integer("threads", n, 1, 4096))
    try:
        yield
    finally:
        _here.reset(token)


cpu.set_thread_source(current)
