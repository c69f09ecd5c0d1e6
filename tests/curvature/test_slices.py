"""Slices against direct evaluation, directions against their definition, planes against known geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.spectra import network, orthogonal

import optlab as ol
from optlab import blocks

rng = np.random.default_rng(8)


def directions(f: Any) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4, f.dim))


@pytest.mark.parametrize("dtype", ("float64", "float32"))
def test_a_slice_is_the_value_at_every_point(dtype: str) -> None:
    f, x = network("batch", dtype)
    d1, d2 = directions(f)[:2]
    found = ol.curvature.slice_1d(f, x, d1)
    assert found.value.dtype == x.dtype and found.at.size == 51
    for t, value in zip(found.at, found.value, strict=True):
        assert_same_bits(value, f.value((x.astype(np.float64) + t * d1).astype(dtype)))
    a, b = np.linspace(-1, 1, 5), np.linspace(0, 2, 3)
    plane = ol.curvature.slice_2d(f, x, d1, d2, a, b)
    assert plane.value.shape == (3, 5) and plane.path is None
    for j, i in np.ndindex(3, 5):
        point = x.astype(np.float64) + a[i] * d1 + b[j] * d2
        assert_same_bits(plane.value[j, i], f.value(point.astype(dtype)))


def test_memory_is_bounded_and_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    f, x = network("layer")
    d = directions(f)
    rows: list[int] = []

    def value(points: np.ndarray) -> np.ndarray:
        rows.append(len(points))
        return f.value(points)

    watched = ol.landscapes.Custom(f.dim, value, f.grad, f.hvp)
    whole = ol.curvature.slice_2d(watched, x, d[0], d[1], path=x + d)
    assert max(rows) == 51 * 51
    rows.clear()
    monkeypatch.setattr(blocks, "BLOCK", 100 * f.dim + 7)
    parts = ol.curvature.slice_2d(watched, x, d[0], d[1], path=x + d)
    assert max(rows) == 100
    assert_same_bits(parts.value, whole.value)
    monkeypatch.setattr(blocks, "BLOCK", 1)
    assert_same_bits(ol.curvature.slice_1d(f, x, d[0]).value, ol.curvature.slice_1d(watched, x, d[0]).value)


def test_values_beyond_range_stand_as_they_are() -> None:
    f = ol.landscapes.Quadratic([1.0, 1.0])
    assert ol.curvature.slice_1d(f, np.zeros(2), np.ones(2), [1e200]).value[0] == np.inf


# ---------------------------------------------------------------- directions


@pytest.mark.parametrize("vectors", (False, True))
@pytest.mark.parametrize("name", ("plain", "batch"))
def test_filters_have_the_norms_of_the_parameters(name: str, vectors: bool) -> None:
    f, theta = network(name, bias_init=ol.nn.init.Normal(0.5))
    d = ol.curvature.filter_normalized(f, theta, 3, vectors=vectors)
    for segment in f.layout:
        here, there = (v[segment.offset : segment.offset + segment.size].reshape(segment.shape) for v in (d, theta))
        if segment.kind == "weight":
            assert_within(np.linalg.norm(here, axis=1), np.linalg.norm(there, axis=1), 1e-14)
        else:
            assert_within(np.linalg.norm(here), np.linalg.norm(there) if vectors else 0.0, 1e-14)
    for same in (f.mlp, f.layout, list(f.layout)):
        assert_same_bits(ol.curvature.filter_normalized(same, theta, 3, vectors=vectors), d)
    assert not np.array_equal(ol.curvature.filter_normalized(f, theta, 4), d)


def test_filter_directions_are_random_before_they_are_scaled() -> None:
    mlp = ol.nn.MLP([300, 200, 1], dtype="float64")
    d = mlp.views(ol.curvature.filter_normalized(mlp, mlp.init(0), 0))["layers.0.weight"]
    unit = d / np.linalg.norm(d, axis=1, keepdims=True) * np.sqrt(300)
    assert abs(unit.mean()) < 4 / np.sqrt(60_000) and abs((unit**4).mean() - 3) < 0.1


def test_scaling_units_leaves_filter_normalized_slices() -> None:
    X, y = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    mlp = ol.nn.MLP([5, 16, 3], activation="relu", dtype="float64", bias_init=ol.nn.init.Normal(0.5))
    f, theta = mlp.on(X, y), mlp.init(0)
    scaled = theta.copy()
    views = mlp.views(scaled)
    for name, factor in (("layers.0.weight", 10), ("layers.0.bias", 10), ("layers.1.weight", 0.1)):
        views[name] *= factor
    raw = ol.random.normal((mlp.dim,), 5)
    same = [ol.curvature.slice_1d(f, p, ol.curvature.filter_normalized(mlp, p, 5)).value for p in (theta, scaled)]
    other = [ol.curvature.slice_1d(f, p, raw).value for p in (theta, scaled)]
    assert_within(same[0], same[1], 1e-12)
    assert np.abs(other[0] - other[1]).max() > 0.1


def test_a_vector_without_parts_is_one_filter() -> None:
    theta = np.array([3.0, 4.0])
    d = ol.curvature.filter_normalized(ol.landscapes.Beale(), theta, 0)
    assert_within(np.linalg.norm(d), 5.0, 1e-15)


# ---------------------------------------------------------------- planes


def test_a_plane_through_three_points() -> None:
    a, b, c = rng.normal(size=(3, 20))
    plane = ol.curvature.plane_through(a, b, c)
    assert_within(plane.axes @ plane.axes.T, np.eye(2), 1e-15)
    f = ol.landscapes.Quadratic(np.arange(20.0))
    seen = ol.curvature.project_path(f, plane, np.array([a, b, c]))
    assert_within(seen.distance, 0, 1e-14)
    assert_within(seen.coordinates[:2], [[0, 0], [np.linalg.norm(b - a), 0]], 1e-14)
    assert seen.coordinates[2, 1] > 0 and seen.outside < 1e-28
    assert_within(seen.value, seen.plane_value, 1e-12)


@pytest.mark.parametrize("center", ("last", "mean"))
def test_the_plane_of_a_path_is_that_of_its_singular_vectors(center: str) -> None:
    basis = orthogonal(30)[:4]
    sizes = np.array([5.0, 3.0, 0.4, 0.3])
    xs = rng.normal(size=(50, 4)) * sizes @ basis + 7.0
    plane = ol.curvature.plane_of_path(xs, center)
    origin = xs[-1] if center == "last" else xs.mean(axis=0)
    assert_within(plane.origin, origin, 1e-14 if center == "mean" else 0)
    values, axes = np.linalg.eigh((xs - origin).T @ (xs - origin))  # another way to the same directions
    assert_within(np.abs(np.sum(plane.axes * axes[:, [-1, -2]].T, axis=1)), 1, 1e-12)
    assert (np.take_along_axis(plane.axes, np.abs(plane.axes).argmax(1)[:, None], 1) > 0).all()
    seen = ol.curvature.project_path(ol.landscapes.Quadratic(np.ones(30)), plane, xs)
    assert_within(np.sum(seen.distance**2), values[:-2].sum(), 1e-10)
    if center == "mean":
        assert_within(seen.outside, values[:-2].sum() / values.sum(), 1e-12)


def oblique() -> ol.curvature.Plane:
    """Axes that are neither of length 1 nor orthogonal, in the first two of five coordinates."""
    return ol.curvature.Plane(np.array([1.0, 1, 1, 1, 1]), np.array([[2.0, 0, 0, 0, 0], [1.0, 3.0, 0, 0, 0]]))


def test_residuals_of_known_geometry() -> None:
    f = ol.landscapes.Quadratic([1.0, 2.0, 3.0, 4.0, 5.0])
    inside = np.array([[0.5, -1.0], [2.0, 0.25], [0.0, 0.0], [1.0, 1.0]])
    heights = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    flat = oblique().origin + inside @ oblique().axes
    xs = flat + np.hstack([np.zeros((4, 2)), heights])
    for seen in (
        ol.curvature.project_path(f, oblique(), xs),
        ol.curvature.slice_2d(f, oblique().origin, *oblique().axes, path=np.repeat(xs, 2, axis=0)[::2]).path,
    ):
        assert_within(seen.coordinates, inside, 1e-14)
        assert_within(seen.distance, [5.0, 2.0, 0.0, 1.0], 1e-14)
        spread = [np.sum((part - part.mean(axis=0)) ** 2) for part in (heights, xs)]
        assert_within(seen.outside, spread[0] / spread[1], 1e-14)
        assert_same_bits(seen.value, f.value(xs))
        assert_within(seen.plane_value, f.value(flat), 1e-13 * seen.value.max())


def test_a_path_parallel_to_the_plane_is_far_all_the_same() -> None:
    xs = oblique().origin + np.outer(np.arange(3.0), oblique().axes[0]) + [0, 0, 9, 0, 0]
    seen = ol.curvature.project_path(ol.landscapes.Quadratic(np.ones(5)), oblique(), xs)
    assert_within(seen.outside, 0, 1e-15)
    assert_within(seen.distance, 9, 1e-14)
    assert_within(seen.value - seen.plane_value, 49.5, 1e-12)  # ½ (10² − 1²)
    assert ol.curvature.project_path(ol.landscapes.Quadratic(np.ones(5)), oblique(), xs[:1]).outside == 0


def test_a_path_straight_out_of_the_plane() -> None:
    xs = oblique().origin + np.outer(np.arange(4.0), [0, 0, 1, 0, 0])
    assert_within(ol.curvature.project_path(ol.landscapes.Quadratic(np.ones(5)), oblique(), xs).outside, 1, 1e-15)


def test_a_trained_path_in_its_plane() -> None:
    f, x = network("plain", "float32")
    path = ol.descend(f, ol.SGD(lr=0.3), np.stack([x, x[::-1]]), steps=100, record=10)
    xs = path.x[:, 1]
    plane = ol.curvature.plane_of_path(xs)
    found = ol.curvature.slice_2d(f, plane.origin, *plane.axes, path=xs)
    assert_same_bits(found.path.value, np.ascontiguousarray(path.value[:, 1]))
    assert 0 < found.path.outside < 0.5
    assert (found.a[0] < found.path.coordinates[:, 0]).all() and (found.path.coordinates[:, 0] < found.a[-1]).all()
    assert (found.b[0] < found.path.coordinates[:, 1]).all() and (found.path.coordinates[:, 1] < found.b[-1]).all()
    # the last point is the plane's origin; elsewhere the picture is not the path
    assert_within(found.path.plane_value[-1], found.path.value[-1], 8 * eps(np.float32))
    assert np.abs(found.path.plane_value - found.path.value).max() > 1e-4


def test_coordinates_come_with_what_they_leave_out() -> None:
    with_path: Any = ol.curvature.ProjectedPath.__dataclass_fields__
    assert set(with_path) == {"coordinates", "distance", "outside", "value", "plane_value"}
    assert not hasattr(ol.curvature.Plane, "coordinates") and not hasattr(ol.curvature.Plane, "project")
