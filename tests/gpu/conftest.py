"""The devices that a test of the GPU runs on: the emulated one in both orders, and a card where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gpu import emulated

from optlab.backends.gpu.device import CuPyDevice, Device, using
from optlab.errors import OptlabError


@pytest.fixture(params=["emulated", "reversed", pytest.param("card", marks=pytest.mark.gpu)])
def device(request: Any) -> Iterator[Device]:
    """In use while the test runs."""
    with using(made(request.param)) as one:
        yield one


def made(name: str) -> Device:
    if name == "card":
        try:
            return CuPyDevice()
        except OptlabError as error:
            pytest.skip(str(error))
    if emulated.compiler() is None:
        pytest.skip("no compiler for the emulation (g++ or c++)")
    return emulated.EmulatedDevice(reverse=name == "reversed")
