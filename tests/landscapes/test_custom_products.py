"""Hessian-vector products of a landscape in Python, by differences of its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

from optlab.landscapes import Custom


@pytest.mark.parametrize(("dtype", "exponents"), [(np.float32, (-100, 70, 120)), (np.float64, (-900, 600, 1000))])
def test_directions_of_any_length(dtype: Any, exponents: tuple[int, ...]) -> None:
    f = Custom(3, value=lambda x: (x**4).sum(1), grad=lambda x: 4 * x**3)
    x, v = np.array([[1.0, -2.0, 0.5]] * 2, dtype), np.array([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]], dtype)
    product = f.hvp(x, v)
    np.testing.assert_allclose(product, 12 * x**2 * v, rtol=np.finfo(dtype).eps ** 0.5)
    for exponent in exponents:
        assert_same_bits(f.hvp(x, np.ldexp(v, exponent)), np.ldexp(product, exponent))
