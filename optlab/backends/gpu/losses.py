"""Losses on the GPU: the functions of :mod:`optlab.ops`, whose docstrings say what they do.

``scratch`` is room for one number per row, or per block of elements: given it and all of ``out``, nothing is
allocated, so that a CUDA graph can capture the call. Unlike on the CPU, labels are not looked at before the call, since
that would wait for the device: one that names no class makes its row NaN.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from optlab import checks
from optlab.backends.gpu import columns
from optlab.backends.gpu.call import Call, Shape
from optlab.backends.gpu.device import device, kernel

Array = Any
Out = tuple[Array | None, Array | None] | None
TERMS = 4096
"""Elements of a block, as ``cuda/losses.cu`` has it."""

LONG_ROW = 1024
"""A row of more classes is given a block, others a warp."""


class Reduction(NamedTuple):
    """Each term for itself, or their sum over the divisor."""

    each: bool
    divisor: int


def reduction_of(given: str | Reduction, terms: int, rows: int | None = None) -> Reduction:
    """The reduction of this name, or one that is given; rows: what "batchmean" divides by, where it is offered.

    Raises:
        ValueError: there is none.
    """
    if isinstance(given, Reduction):
        return given
    known = {"mean": Reduction(False, terms), "sum": Reduction(False, 1), "none": Reduction(True, 1)}
    if rows:
        known["batchmean"] = Reduction(False, rows)
    if not isinstance(given, str) or given not in known:
        expected = "'mean', 'batchmean', 'sum' or 'none'" if rows else "'mean', 'sum' or 'none'"
        raise ValueError(f"reduction: got {given!r}, expected {expected}")
    return known[given]


class LossCall(Call):
    """The arrays of a loss: (loss, gradient), where the gradient may be left out."""

    def outputs(self, shape: Shape, each: Shape, how: Reduction, gradient: bool) -> tuple[Array, Array | None]:
        """The outputs; `each` is the shape of the terms."""
        loss = self.out(each if how.each else ())
        if gradient:
            return loss, self.out(shape)
        self.no_out()
        return loss, None

    def terms(self, loss: Array, how: Reduction, count: int, scratch: Array | None) -> Array:
        """Where the terms go: to the loss itself, or to scratch."""
        room = loss if how.each else self.scratch(scratch, count)
        self.check()
        return room

    def add_up(self, loss: Array, terms: Array, count: int, how: Reduction) -> None:
        """Reduces so many terms to the loss."""
        divisor = np.dtype(self.dtype).type(how.divisor)
        entry = kernel("losses.cu", f"optlab::sum_of_terms<{self.real}>")
        device().launch(entry, (1,), (columns.THREADS,), [loss, terms, count, divisor])


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    label_smoothing: float = 0.0,
    reduction: str | Reduction = "mean",
    gradient: bool = True,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Any]:
    """See :func:`optlab.ops.softmax_cross_entropy`."""
    a = LossCall(out, ("loss", "dlogits"), (logits, "logits"))
    return _cross_entropy(a, None, logits, labels, label_smoothing, reduction, gradient, scratch)


def softmax_cross_entropy_tangent(
    logits_dot: Array,
    logits: Array,
    labels: Array,
    label_smoothing: float = 0.0,
    reduction: str | Reduction = "mean",
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array]:
    """See :func:`optlab.ops.softmax_cross_entropy_tangent`."""
    a = LossCall(out, ("loss_dot", "dlogits_dot"), (logits, "logits"))
    return _cross_entropy(a, logits_dot, logits, labels, label_smoothing, reduction, True, scratch)


def _cross_entropy(
    a: LossCall,
    logits_dot: Array | None,
    logits: Array,
    labels: Array,
    label_smoothing: float,
    reduction: str | Reduction,
    gradient: bool,
    scratch: Array | None,
) -> tuple[Array, Any]:
    a.take(logits, "logits", (-1, -1))
    rows, classes = shape = (int(logits.shape[0]), int(logits.shape[1]))
    dense = getattr(labels, "ndim", 1) == 2
    a.take(labels, "labels", shape if dense else (rows,), None if dense else np.int64)
    smoothing = checks.real("label_smoothing", label_smoothing, 0, 1)
    how = reduction_of(reduction, rows)
    v = a.maybe(logits_dot, "logits_dot", shape)
    loss, slopes = a.outputs(shape, (rows,), how, gradient)
    terms = a.terms(loss, how, rows, scratch)

    real = np.dtype(a.dtype).type
    numbers = [real(1 - smoothing), real(smoothing / classes), real(1 / how.divisor)]
    given = [logits, None if dense else labels, labels if dense else None, rows, classes, *numbers]
    team = columns.THREADS if classes > LONG_ROW else 32
    name = "softmax_cross_entropy" if v is None else "softmax_cross_entropy_tangent"
    entry = kernel("cross_entropy.cu", f"optlab::{name}<{a.real}, {team}>")
    outputs = [terms, slopes] if v is None else [terms, slopes, v]
    blocks = columns.ceil_div(rows, columns.THREADS // team)
    device().launch(entry, (blocks,), (columns.THREADS,), [*outputs, *given])
    if not how.each:
        a.add_up(loss, terms, rows, how)
    return loss, slopes


def _elementwise(
    name: str,
    prediction_dot: Array | None,
    prediction: Array,
    target: Array,
    option: float,
    reduction: str | Reduction,
    gradient: bool,
    out: Out,
    scratch: Array | None,
) -> tuple[Array, Any]:
    dot = "" if prediction_dot is None else "_dot"
    a = LossCall(out, (f"loss{dot}", f"dprediction{dot}"), (prediction, "prediction"))
    shape = tuple(prediction.shape)
    a.take(prediction, "prediction", shape)
    a.take(target, "target", shape)
    how = reduction_of(reduction, prediction.size, shape[0] if name == "kl_divergence" and shape else None)
    v = a.maybe(prediction_dot, "prediction_dot", shape)
    loss, slopes = a.outputs(shape, shape, how, gradient)
    blocks = columns.ceil_div(prediction.size, TERMS)
    terms = a.terms(loss, how, blocks, scratch)

    real = np.dtype(a.dtype).type
    entry = kernel("losses.cu", f"optlab::loss_terms<optlab::losses::{name}, {a.real}>")
    places = [terms, None] if how.each else [None, terms]
    given = [slopes, v, prediction, target, prediction.size, real(option), real(1 / how.divisor)]
    device().launch(entry, (blocks,), (columns.THREADS,), [*places, *given])
    if not how.each:
        a.add_up(loss, terms, blocks, how)
    return loss, slopes


def _option(name: str, given: Any) -> float:
    if name == "huber":
        return checks.real("delta", given, 0, math.inf, open_low=True)
    return checks.real("label_smoothing", given, 0, 1) if name == "binary_cross_entropy" else 0.0


def elementwise(name: str) -> Any:
    """The loss of this name in ``losses/list.hpp``, with the arguments of the CPU's kernel."""

    def loss(
        prediction: Array,
        target: Array,
        option: float,
        reduction: str | Reduction = "mean",
        gradient: bool = True,
        out: Out = None,
        scratch: Array | None = None,
    ) -> tuple[Array, Any]:
        number = _option(name, option)
        return _elementwise(name, None, prediction, target, number, reduction, gradient, out, scratch)

    return loss


def elementwise_tangent(name: str) -> Any:
    """Its derivative in a direction."""

    def tangent(
        prediction_dot: Array,
        prediction: Array,
        target: Array,
        option: float,
        reduction: str | Reduction = "mean",
        out: Out = None,
        scratch: Array | None = None,
    ) -> tuple[Array, Array]:
        number = _option(name, option)
        return _elementwise(name, prediction_dot, prediction, target, number, reduction, True, out, scratch)

    return tangent
