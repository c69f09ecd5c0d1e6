"""What runs on the GPU, as the README says it: asked of the code, which refuses what it does not have.

``cd tests && python -m gpu.table`` writes it there again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cases.landscapes import CASES
from cases.optimizers import by_rule
from gpu.emulated import EmulatedDevice

import optlab as ol
from optlab.backends.gpu.device import upload, using

RULES = by_rule()
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- what runs on a GPU: cd tests && python -m gpu.table -->\n", "<!-- end -->\n"
GPU, CPU, NEITHER = "yes", "CPU only", "–"

Place = Callable[[np.ndarray], Any]
Options = dict[str, Any]


class AskedDevice(EmulatedDevice):
    """Hears what it is to do and does nothing: all that can be refused is refused before."""

    def launch(self, *given: Any) -> None:
        pass

    def product(self, *given: Any) -> None:
        pass


@dataclass(frozen=True)
class Subject:
    """What is asked: a landscape, or None where an optimizer steps alone, with points beside it."""

    f: ol.Landscape | None
    points: Any

    def descend(self, opt: ol.Optimizer = RULES["sgd"], **options: Any) -> ol.Trajectory:
        assert self.f is not None
        return ol.descend(self.f, opt, self.points, 2, **options)

    def step(self, opt: ol.Optimizer) -> None:
        if self.f is not None:
            self.descend(opt)
        else:
            opt.step(self.points, self.points.copy(), opt.init(self.points, runs_axis=True))


Make = Callable[[Place], Subject]
Question = Callable[[Subject], Any]


def landscape(make: Callable[[Place], ol.Landscape]) -> Make:
    def made(place: Place) -> Subject:
        f = make(place)
        return Subject(f, place(np.full((3, f.dim), 0.1, np.float32)))

    return made


def network(place: Place, **options: Any) -> ol.Landscape:
    X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
    return ol.nn.MLP([2, 4, 2], **options).on(place(X), place(np.arange(6) % 2))


def alone(place: Place) -> Subject:
    return Subject(None, place(np.ones((3, 4), np.float32)))


def python(place: Place) -> ol.Landscape:
    return ol.landscapes.Custom(2, lambda x: x[:, 0] * x[:, 1], lambda x: 2 * x, lambda x, v: 2 * v)


def landscapes() -> dict[str, Make]:
    """Every landscape by its class, and networks."""
    made = {f"`{type(f).__name__}`": f for f in (case.make(case.sizes[0]) for case in CASES.values())}
    subjects = {name: landscape(lambda place, f=f: f) for name, f in sorted(made.items())}
    subjects["`Custom`"] = landscape(python)
    assert set(subjects) == {f"`{name}`" for name in ol.landscapes.__all__}
    for norm in (None, "batch", "layer"):
        shown = "" if norm is None else f'norm="{norm}"'
        subjects[f"`nn.MLP({shown})`"] = landscape(lambda place, norm=norm: network(place, norm=norm))
    return subjects


# An option of descend, or another call, by what is said of it: the arguments, which may depend on the landscape.
STUDIES: dict[str, Options | Callable[[Subject], Options]] = {
    "schedule": {"schedule": lambda t: 1 / (1 + t)},
    "noise": {"noise": 0.1},
    "gradient_noise": {"gradient_noise": 0.1},
    "perturbation": {"perturbation": ol.Perturbation(0.1, 0.1, 5)},
    "trainable": lambda of: {"trainable": np.arange(of.points.shape[1]) > 0},
    "batch_size": {"batch_size": 2},
    "sampling": {"batch_size": 2, "sampling": "shuffle"},
    "seed": {"seed": 1},
    "state": lambda of: {"state": of.descend().state},
    "first_step": {"first_step": 5},
    "first_run": {"first_run": 5},
    "record": {"record": 1},
    "record_x": {"record_x": False},
    "probes": lambda of: {"probes": {"own": of.f}},
    "stop": {"stop": [ol.stop.value(-9.0), ol.stop.grad_norm(1e-9), ol.stop.near(9.0, 0.1), ol.stop.leaves_box(-9, 9)]},
    "nonfinite": {"nonfinite": "stop"},
    "threads": {"threads": 1},
    "progress": {"progress": lambda fraction, text="": None},
}
AROUND: dict[str, Options] = {
    "maximize": {"maximize": True},
    "weight_decay": {"weight_decay": 0.1},
    "decoupled_weight_decay": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "clip_value": {"clip_value": 0.1},
    "clip_norm": {"clip_norm": 0.1},
    "l1": {"l1": 0.1},
    "max_norm": {"max_norm": 1.0},
    'nonfinite="raise"': {"nonfinite": "raise"},
    'nonfinite="skip"': {"nonfinite": "skip"},
    "noise": {"noise": 0.1},
    "seed": {"seed": 1},
    "groups": {"groups": {"*": {"lr": 0.01}}},
    "one number per run": {"lr": [0.1, 0.2, 0.3]},
}


def of_landscapes() -> dict[str, Question]:
    """Methods of a landscape, and descend with each of its options."""

    def study(options: Any) -> Question:
        return lambda of: of.descend(**(options(of) if callable(options) else options))

    methods: dict[str, Question] = {
        "`value`": lambda of: of.f.value(of.points),
        "`grad`": lambda of: of.f.grad(of.points),
        "`hvp`": lambda of: of.f.hvp(of.points, of.points.copy()),
        "`hessian`": lambda of: of.f.hessian(of.points),
        "`descend`": lambda of: of.descend(),
    }
    return methods | {f"`{name}`": study(options) for name, options in STUDIES.items()}


def of_optimizers() -> dict[str, Question]:
    """Every optimizer, and what stands around each of them."""
    opts = {type(opt).__name__: opt for opt in (*RULES.values(), ol.AdamW(lr=0.1), ol.AdamW8bit(lr=0.1))}
    assert set(opts) == set(ol.optim.__all__) - {"Optimizer"}
    questions: dict[str, Question] = {f"`{name}`": lambda of, opt=opt: of.step(opt) for name, opt in opts.items()}
    around = {f"`{name}`" if " " not in name else name: options for name, options in AROUND.items()}
    return questions | {
        name: lambda of, options=options: of.step(ol.Adam(**{"lr": 0.1, **options})) for name, options in around.items()
    }


def answer(make: Make, question: Question) -> str:
    """Where a question is answered, and not refused."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of numbers that nothing has computed
        try:
            question(make(np.asarray))
        except (TypeError, ValueError):
            return NEITHER
        with using(AskedDevice()):
            try:
                question(make(upload))
            except (TypeError, ValueError):
                return CPU
    return GPU


def grouped(answers: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    """The names that have the same answers, in the order in which they come."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, given in answers.items():
        groups.setdefault(given, []).append(name)
    return groups


def table(corner: str, subjects: Mapping[str, Make], questions: Mapping[str, Question], rest: str = "") -> str:
    """Markdown, with one column for the subjects that do not differ, and one line for such questions."""
    columns = grouped({name: tuple(answer(m, q) for q in questions.values()) for name, m in subjects.items()})
    most = max(columns.values(), key=len)
    heads = [rest if rest and names is most else ", ".join(names) for names in columns.values()]
    rows = grouped(dict(zip(questions, zip(*columns, strict=True), strict=True)))
    lines = [[corner, *heads], ["---"] * (len(heads) + 1), *([", ".join(of), *cells] for cells, of in rows.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def text() -> str:
    """Both tables."""
    each = landscapes()
    steps = {"`descend`": each["`Quadratic`"], "`descend` of networks": each["`nn.MLP()`"], "`step`": alone}
    studies = table("landscape, and option of `descend`", each, of_landscapes(), "all others of `ol.landscapes`")
    return f"{studies}\n{table('optimizer, and its option', steps, of_optimizers())}"


def in_readme() -> str:
    """What stands in the README."""
    found = README.read_text(encoding="utf-8")
    return found[found.index(BEGIN) + len(BEGIN) : found.index(END)]


def main() -> None:
    """Writes the tables into the README."""
    README.write_text(README.read_text(encoding="utf-8").replace(in_readme(), text()), encoding="utf-8")


if __name__ == "__main__":
    main()
