"""Philox4x32-10 and the addressing of draws, in plain Python integers."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

LOW = 0xFFFFFFFF


def philox(counter: tuple[int, int, int, int], key: int) -> tuple[int, int, int, int]:
    """Salmon et al. 2011, section 3.3: ten rounds of two 32 x 32 -> 64 bit products."""
    a, b, c, d = counter
    low, high = key & LOW, key >> 32
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ low, right & LOW, (left >> 32) ^ d ^ high, left & LOW
        low, high = (low + 0x9E3779B9) & LOW, (high + 0xBB67AE85) & LOW
    return a, b, c, d


def words(count: int, dtype: Any, seed: int, stream: int, step: int, run: int) -> list[int]:
    """The random words of the elements 0 to count - 1: of 32 bits for float32, two joined, high first, for float64."""
    wide = np.dtype(dtype) == np.float64
    found: list[int] = []
    for block in range((count + 3) // (2 if wide else 4) + 1):
        w = philox((block, run, step & LOW, (step >> 32) & 0xFFFF | stream << 16), seed)
        found += [w[0] << 32 | w[1], w[2] << 32 | w[3]] if wide else list(w)
    return found[:count]


def uniform(word: int, dtype: Any) -> float:
    """The top 24 or 52 bits over 2**24 or 2**52."""
    return (word >> 12) * 2.0**-52 if np.dtype(dtype) == np.float64 else (word >> 8) * 2.0**-24


def open_unit(word: int, dtype: Any) -> Any:
    """The middle of the word's interval: 52 bits exactly; 31 bits in float32, rounded as its operations round."""
    if np.dtype(dtype) == np.float64:
        return (word >> 12) * 2.0**-52 + 2.0**-53
    return np.float32(word >> 1) * np.float32(2.0**-31) + np.float32(2.0**-32)


def angle(word: int, dtype: Any) -> Any:
    """Turns: the two high bits choose the quadrant, the others an angle around its middle."""
    bits = 64 if np.dtype(dtype) == np.float64 else 32
    inside = (word << 2) & (2**bits - 1)
    if bits == 64:
        fraction = mpmath.mpf((inside >> 12) * 2.0**-52) - mpmath.mpf(0.5)
    else:
        fraction = mpmath.mpf(inside - (inside >> 31 << 32)) / 2**32
    return mpmath.mpf(word >> (bits - 2)) / 4 + fraction / 4


def normals(first: int, second: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Box and Muller's pair from two words, in 50 digits, and the radius."""
    with mpmath.workdps(50):
        radius = mpmath.sqrt(-2 * mpmath.log(mpmath.mpf(float(open_unit(first, dtype)))))
        turns = angle(second, dtype)
        return radius * mpmath.cospi(2 * turns), radius * mpmath.sinpi(2 * turns), radius
