"""Hashes of everything that promises the same bits, for comparison over instruction sets, threads and processes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
from cases.optimizers import examples

import optlab as ol
from optlab import ops
from optlab.kernels.select import cpu
from optlab.layout import Segment
from optlab.optim.rule import state_names
from reference.compare import digest
from reference.losses_bits import of_losses

DTYPES = (np.float32, np.float64)


def landscapes() -> dict[str, Any]:
    """One of each kind, in sizes that fill no register exactly."""
    made = ol.landscapes
    samples = np.random.default_rng(1).normal(size=(20, 7))
    return {
        "quadratic": made.Quadratic(np.linspace(-1, 2, 33)),
        "rotated": made.Quadratic(np.linspace(0.1, 2, 19), rotation=3),
        "strict_saddle": made.StrictSaddle(dim=17, negative=2, curvature=0.5),
        "cosine": made.Cosine(dim=9),
        "rastrigin": made.Rastrigin(dim=70),
        "long_valley": made.LongValley(dim=8),
        "walled_quadratic": made.WalledQuadratic([1.0, -0.1, 0.5]),
        "rosenbrock": made.Rosenbrock(dim=15),
        "beale": made.Beale(),
        "sinusoid": made.Sinusoid.draw(5),
        "octopus": made.Octopus(dim=9, L=2.0, gamma=0.5, tau=1.5),
        "recurrent_unit": made.RecurrentUnit(steps=20),
        "teacher_student": made.TeacherStudent(7, samples[:3]),
        "least_squares": made.LeastSquares(samples, samples.sum(1) + 1),
    }


OPTIMIZERS = {
    "gd": ol.SGD(lr=1e-3, weight_decay=1e-2),
    "momentum": ol.SGD(lr=1e-3, momentum=0.9, dampening=0.1),
    "nesterov": ol.SGD(lr=1e-3, momentum=0.9, nesterov=True),
    "heavy_ball": ol.HeavyBall(lr=1e-3, momentum=0.5),
}
"""On every landscape; the others on one of them, and in single steps of a long array."""


def points(f: Any, dtype: Any, runs: int) -> Any:
    """Seeded points of the customary box."""
    u = np.random.default_rng(2).random((runs, f.dim))
    return (f.bounds[0] + u * (f.bounds[1] - f.bounds[0])).astype(dtype)


def of_draws(dtype: Any) -> str:
    """Every distribution, in one long row, many short ones and an odd address."""
    draws = []
    for draw in (ol.random.normal, ol.random.uniform, ol.random.ball):
        for shape in ((1, 40_003), (1000, 41), (3, 5)):
            draws.append(draw(shape, 2**63 + 5, stream=4, step=2**40 + 3, first_run=7, dtype=dtype))
    return digest(*draws, ol.random.integers((9, 33), 1000, 3))


def of_special(dtype: Any) -> str:
    """The mathematical functions, hard cases among the arguments."""
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(scale=scale, size=2001) for scale in (1e-3, 1, 50, 5000)]).astype(dtype)
    x = np.concatenate([x, np.array([0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny / 8], dtype)])
    out = [np.empty_like(x) for _ in cpu.special_functions]
    for index, results in enumerate(out):
        cpu.special(results, x, index, False)
    return digest(*out)


def of_activations(dtype: Any) -> str:
    """Every activation's four passes, dropout and maxout, in a length that threads share."""
    x, dy, x_dot, dy_dot = (3 * np.random.default_rng(6).normal(size=(4, 1, 49_998))).astype(dtype)
    out = [ops.dropout_forward(x, 0.3, 2**63 + 5, step=2**40 + 3, run=7)]
    out += [ops.maxout_forward(x, 3), ops.maxout_backward(ops.maxout_forward_tangent(x_dot, x, 3), x, 3)]
    for name in ops.activations:
        y = ops.activation_forward(x, name)
        out += [y, ops.activation_backward(dy, y, name)]
        out += [ops.activation_backward_tangent(dy_dot, x_dot, dy, y, name)]
    return digest(*out)


def of_landscape(f: Any, dtype: Any) -> str:
    """Value, gradient and Hessian-vector product in both layouts."""
    many = points(f, dtype, 65)
    parts = [(rows, np.ones_like(rows)) for rows in (many, many[:1])]
    return digest(*[array for x, v in parts for array in (*f.value_and_grad(x), f.hvp(x, v))])


def of_study(f: Any, opt: ol.Optimizer, dtype: Any) -> str:
    """A noisy study with everything that draws, many runs and then one."""
    batch = 5 if f.n_samples else None
    hashes = []
    for runs in (67, 1):
        options = {"noise": 1e-6, "gradient_noise": 1e-2, "batch_size": batch, "seed": 11, "record": 7}
        path = ol.descend(f, opt, points(f, dtype, runs), 30, nonfinite="stop", **options)
        hashes += [digest(path.x, path.value, path.grad_norm, path.last)]
    return " ".join(hashes)


def of_steps(opt: ol.Optimizer, dtype: Any) -> str:
    """Three noisy steps of an array that threads share, in segments, the learning rate changing."""
    rng, dim = np.random.default_rng(5), 40_003
    x, grads = rng.normal(size=dim).astype(dtype), rng.normal(size=(3, dim)).astype(dtype)
    noisy = dataclasses.replace(opt, noise=1e-4, seed=7)
    layout = tuple(Segment(str(k), 13_000 * k, (size,)) for k, size in enumerate((13_000, 13_000, 14_003)))
    state = noisy.init(x, layout)
    for grad, factor in zip(grads, (1.0, 0.5, 0.25), strict=True):
        noisy.step(x, grad, state, lr=opt.lr * factor)
    return digest(x, *[state[name] for name in state_names(opt)])


def of_perturbed(dtype: Any) -> str:
    """Jumps from a saddle, with stopping rules."""
    f, jumps = ol.landscapes.StrictSaddle(dim=6), ol.Perturbation(0.05, 1e-2, 20, 1e-3)
    rules = [ol.stop.leaves_ball(0.9), ol.stop.nonfinite()]
    path = ol.descend(f, ol.SGD(lr=0.1), np.zeros((130, 6), dtype), 200, perturbation=jumps, stop=rules)
    return digest(path.last, path.stop_step, path.value, path.grad_norm)


def of_init(dtype: Any) -> str:
    """Initial parameters: scaled draws, orthogonal rows and columns."""
    methods = ("xavier_uniform", "kaiming_normal", "torch_default", "orthogonal", "defazio_bottou")
    drawn = [
        ol.nn.init.resolve(name).draw(shape, 3, step=2**40, run=7, dtype=dtype)
        for name in methods
        for shape in ((33, 515), (300, 70))
    ]
    return digest(*drawn)


def of_products(dtype: Any) -> str:
    """Products that fill no tile, over more than one block of k, and a linear pass with all that follows it."""
    normal = ol.random.normal
    a, b, bias = (normal(shape, 1, dtype=dtype) for shape in ((130, 1030), (515, 1030), 515))
    drop = ops.Dropout(0.3, 2)
    y = ops.linear_forward(a, b, bias, "tanh", dropout=drop)
    normed = ops.linear_batch_norm_forward(a, b, activation="elu", dropout=drop)
    return digest(ops.matmul(a, b.T), y, *normed, *ops.linear_backward(y + 1, a, b, y, "tanh", dropout=drop))


def of_network(dtype: Any) -> str:
    """A training run with batches, masks and running averages, and the gradient and curvature of what it came to."""
    results = []
    kinds = (("batch", [70, 130, 90, 7], 300, 3), ("layer", [3, 17, 5], 5000, 3), (None, [5, 18, 3], 5000, 19))
    for norm, widths, rows, runs in kinds:
        X = ol.random.normal((rows, widths[0]), 3, dtype=dtype)
        y = ol.random.integers(rows, widths[-1], 4)
        noise = (0.5, 1.25, 0.1) if norm == "layer" else None
        mlp = ol.nn.MLP(widths, "elu", norm=norm, dropout=0.2, dtype=np.dtype(dtype).name, norm_noise=noise)
        f = mlp.on(X, y, weight_decay=1e-3)
        path = ol.descend(f, ol.AdamW(lr=1e-2), mlp.init(0, runs=runs), 4, batch_size=65, sampling="shuffle", seed=1)
        frozen = f.sample(2, 5)
        results += [path.last, path.value, *(a for a in path.state.values() if a.dtype.kind == "f")]
        results += [frozen.grad(path.last[0]), frozen.hvp(path.last[0], path.last[1])]
    return digest(*results)


def of_norms(dtype: Any) -> str:
    """Every normalization, all passes, in a size that threads share and in one that fills no register."""
    draw, ops, results = np.random.default_rng(6).normal, ol.ops, []
    for shape in ((115, 301), (3, 6, 1937), (5, 6, 7)):
        x, dy, x_dot, dy_dot = (draw(size=shape).astype(dtype) for _ in range(4))
        gamma, beta = (draw(size=shape[1]).astype(dtype) for _ in range(2))
        kinds = ["layer"] if len(shape) == 2 else ["group", "instance"]
        for kind in kinds:
            passes = [getattr(ops, f"{kind}_norm_{name}") for name in ("forward", "backward", "forward_tangent")]
            y = passes[0](x, *[3] * (kind == "group"), gamma, beta)
            dots = passes[2](x_dot, x, gamma, *y[1:], beta, gamma)
            back = getattr(ops, f"{kind}_norm_backward_tangent")
            results += [*y, *dots, *passes[1](dy, x, gamma, *y[1:])]
            results += back(dy_dot, x_dot, dy, x, gamma, *y[1:], *dots[1:], beta)
    v, dw, v_dot, dw_dot = (draw(size=(115, 301)).astype(dtype) for _ in range(4))
    w, norm = ops.weight_norm_forward(v, norm_g := v[:, 0].copy())
    w_dot, norm_dot = ops.weight_norm_forward_tangent(v_dot, v, norm_g, norm)
    results += [w, norm, w_dot, norm_dot, *ops.weight_norm_backward(dw, v, norm_g, norm)]
    results += ops.weight_norm_backward_tangent(dw_dot, v_dot, dw, v, norm_g, norm, norm_dot)
    return digest(*results)


def of_batch_norm(dtype: Any) -> str:
    """Everything it returns, by blocks of columns, by parts of rows and with rows side by side."""
    rng, results = np.random.default_rng(8), []
    for shape in ((65, 129), (1000, 5), (3, 70), (9000, 7), (20_000, 70), (520, 4112)):
        x, dy, x_dot, dy_dot = (rng.normal(3, 2, shape).astype(dtype) for _ in range(4))
        gamma, beta = (rng.normal(size=shape[1]).astype(dtype) for _ in range(2))
        running = (np.zeros_like(gamma), np.ones_like(gamma), np.zeros((), np.int64))
        y, mean, rstd = ol.ops.batch_norm_forward(x, gamma, beta, running=running)
        dots = ol.ops.batch_norm_forward_tangent(x_dot, x, gamma, mean, rstd, beta, gamma)
        second = (dy_dot, x_dot, dy, x, gamma, mean, rstd, *dots[1:], beta)
        results += [y, mean, rstd, *running, *dots, *ol.ops.batch_norm_backward(dy, x, gamma, mean, rstd)]
        results += ol.ops.batch_norm_backward_tangent(*second)
        results += ol.ops.batch_norm_eval_backward_tangent(dy_dot, x_dot, dy, x, mean, gamma**2, gamma, beta)
    return digest(*(digest(array) for array in results))


def of_augment(dtype: Any) -> str:
    """Two copies of all that changes images."""
    a = ol.data.augment
    parts = (a.Shift(1, 2), a.Crop(7, 9, padding=1), a.Flip(), a.Rotate(30.0), a.Noise(0.1), a.Color(0.3, 0.3, 0.3))
    chain = a.Chain((*parts, a.Blur((0.1, 1.5)), a.Occlude(3), a.MixUp(5, 0.4), a.CutMix(5)))
    images = ol.random.uniform((130, 240), 5, dtype=dtype).reshape(130, 8, 10, 3)
    return digest(*chain.copies(images, np.arange(130) % 5, 2, seed=2**63 + 5, run=7))


def all_hashes() -> dict[str, str]:
    """Name -> hash."""
    hashes = {"rotation": digest(ol.landscapes.StrictSaddle(dim=21, rotation=9).rotation)}
    for dtype in DTYPES:
        bits = np.dtype(dtype).name
        hashes[f"random {bits}"] = of_draws(dtype)
        hashes[f"special {bits}"] = of_special(dtype)
        hashes[f"activations {bits}"] = of_activations(dtype)
        hashes[f"init {bits}"] = of_init(dtype)
        hashes[f"augment {bits}"] = of_augment(dtype)
        if cpu.isa != "v2":  # which has no fused multiply-add
            hashes[f"products {bits}"] = of_products(dtype)
            hashes[f"network {bits}"] = of_network(dtype)
        hashes[f"norms {bits}"] = of_norms(dtype)
        hashes[f"perturbed {bits}"] = of_perturbed(dtype)
        hashes[f"losses {bits}"] = of_losses(dtype)
        hashes[f"batch norm {bits}"] = of_batch_norm(dtype)
        for rule, opt in examples().items():
            hashes[f"steps {rule} {bits}"] = of_steps(opt, dtype)
            hashes[f"study of {rule} {bits}"] = of_study(ol.landscapes.Quadratic(np.linspace(-0.5, 2, 33)), opt, dtype)
        for name, f in landscapes().items():
            hashes[f"landscape {name} {bits}"] = of_landscape(f, dtype)
            for rule, opt in OPTIMIZERS.items():
                hashes[f"study {name} {rule} {bits}"] = of_study(f, opt, dtype)
    return hashes


def main() -> None:
    """Prints them as JSON."""
    with np.errstate(all="ignore"):
        print(json.dumps(all_hashes()))
