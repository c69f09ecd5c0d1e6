"""Augmentations of one image in float64, pixel by pixel from their formulas; u and z are the image's own draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import beta

Image = np.ndarray[Any, Any]  # (height, width, channels)


def pixel(x: Image, row: float, column: float, fill: float) -> Any:
    """Between the pixels: linear in both directions; beyond them: fill."""
    top, left = math.floor(row), math.floor(column)
    total = np.zeros(x.shape[2])
    for r, c in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        weight = (1 - abs(row - r)) * (1 - abs(column - c))
        known = 0 <= r < x.shape[0] and 0 <= c < x.shape[1]
        total += weight * (x[r, c] if known else fill)
    return total


def placed(x: Image, size: tuple[int, int], fill: float, source: Any) -> Image:
    """The image whose pixel (r, c) is the old one's at source(r, c)."""
    return np.array([[pixel(x, *source(r, c), fill) for c in range(size[1])] for r in range(size[0])])


def shift(x: Image, u: Any, rows: int, columns: int, fill: float = 0.0) -> Image:
    down, right = math.floor(u[0] * (2 * rows + 1)) - rows, math.floor(u[1] * (2 * columns + 1)) - columns
    return placed(x, x.shape[:2], fill, lambda r, c: (r - down, c - right))


def crop(x: Image, u: Any, height: int, width: int, padding: int, fill: float = 0.0) -> Image:
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)), constant_values=fill)
    top = math.floor(u[0] * (padded.shape[0] - height + 1))
    left = math.floor(u[1] * (padded.shape[1] - width + 1))
    return padded[top : top + height, left : left + width]


def flip(x: Image, u: Any, direction: str, p: float) -> Image:
    if u[0] >= p:
        return x
    return x[:, ::-1] if direction == "horizontal" else x[::-1]


def rotate(x: Image, u: Any, low: float, high: float, fill: float = 0.0) -> Image:
    """Mathematical axes: x to the right, y up; the new pixel at p was at R(-angle) p."""
    a = math.radians(low + (high - low) * u[0])
    middle, centre = (x.shape[0] - 1) / 2, (x.shape[1] - 1) / 2

    def source(r: int, c: int) -> tuple[float, float]:
        right, up = c - centre, middle - r
        return middle - (-math.sin(a) * right + math.cos(a) * up), centre + math.cos(a) * right + math.sin(a) * up

    return placed(x, x.shape[:2], fill, source)


def color(x: Image, u: Any, *strengths: float) -> Image:
    b, c, s = (1 + strength * (2 * each - 1) for strength, each in zip(strengths, u, strict=True))
    x = b * x
    m = math.fsum(x.ravel()) / x.size
    x = m + c * (x - m)
    if not strengths[2]:
        return x
    g = 0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]
    return g[..., None] + s * (x - g[..., None])


def blur(x: Image, u: Any, low: float, high: float) -> Image:
    sigma = low + (high - low) * u[0]
    return gaussian_filter(x, (sigma, sigma, 0), mode="reflect", truncate=4.0)


def inside(x: Image, u: Any, height: int, width: int) -> Any:
    """Whether a pixel lies in the box about a centre."""
    top = math.floor(u[0] * x.shape[0]) - height // 2
    left = math.floor(u[1] * x.shape[1]) - width // 2
    mask = np.zeros(x.shape[:2], bool)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            mask[r, c] = top <= r < top + height and left <= c < left + width
    return mask


def occlude(x: Image, u: Any, size: int, fill: float = 0.0) -> Image:
    x = x.copy()
    x[inside(x, u, size, size)] = fill
    return x


def share(u: float, alpha: float) -> float:
    return float(beta.ppf(u, alpha, alpha))


def mixup(x: Image, other: Image, u: Any, alpha: float) -> tuple[Image, float]:
    weight = share(u[1], alpha)
    return weight * x + (1 - weight) * other, weight


def cutmix(x: Image, other: Image, u: Any, alpha: float) -> tuple[Image, float]:
    side = math.sqrt(1 - share(u[1], alpha))
    mask = inside(x, u[2:], math.floor(side * x.shape[0]), math.floor(side * x.shape[1]))
    x = x.copy()
    x[mask] = other[mask]
    return x, float(np.mean(~mask))
