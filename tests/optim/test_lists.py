"""A list of arrays takes the steps of one flat array with the same layout, and so does an array of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import EVERYTHING, examples, make
from reference.battery import GROUPS, SEGMENTS, SIZE
from reference.compare import assert_same_bits
from reference.stepping import Array, data

import optlab as ol
from optlab.layout import Segment
from optlab.optim.rule import state_names

DTYPES = (np.float32, np.float64)
EXAMPLES = examples()
SHAPES = ((4,), (2, 3), (3,), (2, 1, 2))


def parts(flat: Array) -> list[Array]:
    """Separate arrays of the shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])
    return [part.reshape(shape).copy() for part, shape in zip(np.split(flat, ends[:-1]), SHAPES, strict=True)]


def joined(arrays: list[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_list_is_a_flat_array_with_its_layout(name: str, dtype: Any) -> None:
    opt, (x, grads) = EXAMPLES[name], data(SIZE, dtype)
    many, state, its = parts(x), opt.init(x, SEGMENTS), opt.init(parts(x))
    for grad in grads:
        opt.step(x, grad, state)
        opt.step(many, parts(grad), its)
        assert_same_bits(joined(many), x)
        for array in state_names(opt):
            assert_same_bits(its[array], state[array])
    assert int(its["step"]) == len(grads)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_layout_matters_to_norms_of_segments_alone(name: str) -> None:
    opt, (x, grads) = EXAMPLES[name], data(SIZE, np.float64)
    whole, state, divided = x.copy(), opt.init(x), opt.init(x, SEGMENTS)
    for grad in grads:
        opt.step(whole, grad, state)
        opt.step(x, grad, divided)
    if "around" in name:  # the norms of whole points are sums over segments, which round otherwise
        return
    assert np.array_equal(x, whole) != name.startswith(("LARS", "LAMB"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_shape_of_an_array_does_not_matter(name: str, dtype: Any) -> None:
    opt, (x, grads) = EXAMPLES[name], data(24, dtype)
    shaped = x.reshape(2, 3, 4).copy()
    state, its = opt.init(x), opt.init(shaped)
    for grad in grads:
        opt.step(x, grad, state)
        opt.step(shaped, grad.reshape(2, 3, 4), its)
    assert_same_bits(shaped.ravel(), x)
    for array in state_names(opt):
        assert its[array].shape == shaped.shape
        assert_same_bits(its[array].ravel(), state[array])


@pytest.mark.parametrize("name", ("Adam", "LARS", "LAMB"))
def test_groups_name_the_arrays_of_a_list_by_number(name: str) -> None:
    x, grads = data(SIZE, np.float64)
    renamed = tuple(Segment(str(k), s.offset, s.shape) for k, s in enumerate(SEGMENTS))
    opt = make(name, {"lr": 0.1}, EVERYTHING, {"groups": {"1": GROUPS["b"], "[23]": GROUPS["[cd]"]}})
    by_letter = make(name, {"lr": 0.1}, EVERYTHING, {"groups": GROUPS})
    many, flat, lettered = parts(x), x.copy(), x.copy()
    states = opt.init(many), opt.init(flat, renamed), by_letter.init(lettered, SEGMENTS)
    for grad in grads:
        opt.step(many, parts(grad), states[0])
        opt.step(flat, grad, states[1])
        by_letter.step(lettered, grad, states[2])
    assert_same_bits(joined(many), flat)
    assert_same_bits(lettered, flat)


def test_the_first_matching_group_counts_and_the_rest_have_none() -> None:
    x = np.ones(SIZE)
    opt = ol.SGD(lr=0.0, weight_decay=0.5, groups={"a": {"weight_decay": 0.0}, "[ab]": {"weight_decay": 0.25}})
    opt.step(x, np.zeros(SIZE), opt.init(x, SEGMENTS), lr=1.0)
    assert x.tolist() == [1.0] * 4 + [0.75] * 6 + [0.5] * 7


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_lists_in_threads(dtype: Any) -> None:
    shapes, opt = (40_003, 1, 17_001), make("LAMB", {"lr": 0.1}, EVERYTHING)
    x, (grad,) = data(sum(shapes), dtype, 1)
    cut = lambda array: [part.copy() for part in np.split(array, np.cumsum(shapes)[:-1])]  # noqa: E731
    got = []
    for count in (1, 2, 5):
        with ol.threads(count):
            many = cut(x)
            opt.step(many, cut(grad), opt.init(many))
            got.append(joined(many))
    assert_same_bits(got[1], got[0])
    assert_same_bits(got[2], got[0])
