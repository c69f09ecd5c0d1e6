"""The arguments of a study, checked, and the arrays that it fills."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu import descend, training
from optlab.backends.gpu.device import device, download, on_gpu
from optlab.backends.gpu.landscape import check_point
from optlab.backends.gpu.network import Network
from optlab.backends.gpu.place import Card, place_of
from optlab.checks import integer, real
from optlab.kernels.select import cpu
from optlab.landscape import CompiledLandscape, Landscape
from optlab.optim import Optimizer
from optlab.perturbation import Perturbation
from optlab.refusals import one_of
from optlab.stop import StopRule
from optlab.trajectory import MAX_STEP, Array, Record, Trajectory, record_steps

NONFINITE = ("warn", "stop", "propagate")
"""What :func:`optlab.descend` does about runs that are no longer finite."""
_JUMPED = ("perturbed_value", "perturbed_norm")
"""What a state keeps, beside point and step, of where the last jump of each run began."""


_HINTS = {
    "landscape": "; ol.landscapes.Custom(dim, value, grad) makes one of functions, mlp.on(X, y) of a network",
    "optimizer": ", as ol.SGD(lr=0.1)",
}


def _kind(given: Any) -> str:
    return f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__


class Study:
    """One call of :func:`optlab.descend`: checked in the order of the methods, then run through ``compiled``."""

    def __init__(
        self, f: Landscape, optimizer: Optimizer, x0: Array, steps: int, first_step: int, first_run: int
    ) -> None:
        for name, given, wanted in (("landscape", f, Landscape), ("optimizer", optimizer, Optimizer)):
            if not isinstance(given, wanted):
                raise TypeError(f"{name}: got {_kind(given)}, expected an optlab {wanted.__name__}{_HINTS[name]}")
        check_point(x0, "x0")
        f.require(x0.dtype, "x0")
        if x0.shape[-1] != f.dim:
            raise ValueError(f"x0: got {x0.shape[-1]} coordinates, expected {f.dim}")
        self.place = place_of(x0)
        start = self.place.bring(x0, "x0")
        if not self.place.xp.isfinite(start).all():
            raise ValueError("x0: got a coordinate that is NaN or infinite, expected finite numbers")
        self.f, self.optimizer = f, optimizer
        self.surface = f.surface(x0.dtype) if isinstance(self.place, Card) else None
        self.runs, self.dim = (1, *x0.shape)[-2:]
        self.last: Array = self.place.empty((self.runs, self.dim), x0.dtype)
        self.last[...] = start
        self.dtype = x0.dtype
        self.first = integer("first_step", first_step, 0, MAX_STEP)
        self.end = self.first + integer("steps", steps, 0, MAX_STEP - self.first)
        first_run = integer("first_run", first_run, 0, 2**32 - self.runs)
        self.setup: dict[str, Any] = {"runs": self.runs, "dim": self.dim, "first_run": first_run}
        self.setup |= {"first_step": self.first, "last_step": self.end}
        if self.surface is not None and optimizer.nonfinite != "propagate":
            raise ValueError(f"optimizer: got nonfinite={optimizer.nonfinite!r} on the GPU, expected 'propagate' there")
        if optimizer.noise:
            raise ValueError("optimizer: got noise, expected none: descend adds it itself (arguments noise and seed)")
        self.plan = optimizer.plan(True, False, f.layout)
        if self.plan["parameters"].shape[1] not in (1, self.runs):
            given = self.plan["parameters"].shape[1]
            raise ValueError(f"optimizer: got hyperparameters for {given} runs, expected {self.runs}")

    def randomness(
        self,
        noise: float,
        gradient_noise: float | Array | None,
        perturbation: Perturbation | None,
        batch_size: int | None,
        sampling: str,
        seed: int,
    ) -> None:
        """Checks everything that draws."""
        if perturbation is not None and not isinstance(perturbation, Perturbation):
            raise TypeError(f"perturbation: got {type(perturbation).__name__}, expected an optlab Perturbation")
        if batch_size is not None and (self.f.n_samples is None or not isinstance(self.f, CompiledLandscape)):
            raise ValueError(f"batch_size: got {batch_size}, but this landscape is not a finite sum in compiled code")
        if sampling not in ("replacement", "shuffle", "order"):
            raise ValueError(f"sampling: got {sampling!r}, expected 'replacement', 'shuffle' or 'order'")
        if sampling != "replacement" and batch_size is None:
            raise ValueError(f"sampling: got {sampling!r}, expected a batch_size with it")
        size = 0 if batch_size is None else integer("batch_size", batch_size, 1, 2**31)
        if self.f.averages and (size or self.f.n_samples) == 1 and self.end > self.first:
            raise ValueError("batch_size: got 1 with batch normalization, expected at least 2: one has no variance")
        if sampling != "replacement" and size * self.end >= min(2**62, 2**48 * (self.f.n_samples or 1)):
            raise ValueError(f"batch_size: got {size} for steps up to {self.end}, expected fewer than 2**48 epochs")
        self.setup |= {
            "sampling": sampling,
            "noise": math.sqrt(real("noise", noise, 0.0)),
            "gradient_noise": self._gradient_noise(gradient_noise),
            "perturbation": perturbation,
            "batch_size": size,
            "seed": integer("seed", seed, 0, 2**64 - 1),
        }

    def _gradient_noise(self, given: float | Array | None) -> Array | None:
        if given is None:
            return None
        try:
            sigma = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"gradient_noise: got {given!r}, expected numbers") from None
        if sigma.shape not in ((), (self.dim,)) or not (np.isfinite(sigma) & (sigma >= 0)).all():
            raise ValueError(f"gradient_noise: got {given!r}, expected finite numbers >= 0, one or ({self.dim},)")
        return np.ascontiguousarray(np.broadcast_to(sigma, self.dim))

    def holding(self, trainable: Array | None) -> None:
        """Checks which coordinates move; :meth:`randomness` goes before."""
        self.setup["held"] = []
        if trainable is None:
            return
        if self.surface is not None:
            raise ValueError("trainable: got it for points on the GPU, expected None there; the CPU holds coordinates")
        if not isinstance(trainable, np.ndarray) or trainable.dtype != bool or trainable.shape != (self.dim,):
            given = f"{trainable.dtype}{trainable.shape}" if isinstance(trainable, np.ndarray) else repr(trainable)
            raise ValueError(f"trainable: got {given}, expected a bool array ({self.dim},)")
        if self.setup["perturbation"] is not None:
            raise ValueError(
                "trainable: got it with a perturbation, expected one of them: a jump moves all coordinates"
            )
        self.setup["held"] = np.flatnonzero(~trainable).tolist()

    def recording(self, record: Record, record_x: bool, probes: Mapping[str, Landscape] | None) -> None:
        """Makes room for what is recorded."""
        self.record_steps = record_steps(record, self.first, self.end)
        self.setup["record_steps"] = self.record_steps
        rows = (len(self.record_steps), self.runs)
        self.arrays: dict[str, Array] = {"last": self.last}
        self.arrays |= {name: self.place.empty(rows, self.dtype) for name in ("value", "grad_norm")}
        if record_x:
            self.arrays["x"] = self.place.empty((*rows, self.dim), self.dtype)
        if not isinstance(probes, Mapping | None):
            raise TypeError(f"probes: got {type(probes).__name__}, expected a dict of landscapes by name")
        self.probes = dict(probes or {})
        for name, probe in self.probes.items():
            if not isinstance(probe, Landscape) or probe.dim != self.dim:
                raise TypeError(f"probes: {name!r} is not a landscape of {self.dim} coordinates")
        self.probed: dict[str, list[Array]] = {name: [] for name in self.probes}

    def start(
        self, stop: StopRule | Sequence[StopRule] | None, state: Mapping[str, Array] | None, nonfinite: str
    ) -> None:
        """Builds the compiled study."""
        given = () if stop is None else stop if isinstance(stop, Sequence) else (stop,)
        rules = [rule for rule in given if isinstance(rule, StopRule)]
        if len(rules) != len(given):
            raise TypeError(f"stop: got {type(stop).__name__}, expected rules of optlab.stop")
        asked = one_of("nonfinite", nonfinite, NONFINITE) != "propagate"
        self.setup["looks"] = asked and all(rule.kind != "nonfinite" for rule in rules)
        self.tells = self.setup["looks"] and nonfinite == "warn"
        # By the number that stands in stop_reason, from 1 on, but for the last: -1 and -2 are reasons of their own.
        names = ["no_decrease", "steps", *(rule.name for rule in rules), "interrupted", "nonfinite"]
        self.reasons = np.array(names)
        self.setup["stops"] = [rule.compiled(self.dim) for rule in rules]
        self.state = self._state(state)
        self.setup["rule_step"] = int(self.state["step"])
        # Averages kept in bytes are unpacked on the CPU; the kernel of the GPU takes them as they are.
        own = self.optimizer.unpacked(self.state) if self.surface is None else self.state
        beside = {
            name: array for name, array in self.state.items() if name.startswith(("perturbed_", "averages", "skipped"))
        }
        self.arrays |= {**own, **beside}
        self.arrays["stop_step"] = np.full(self.runs, -1, np.int64)
        self.arrays["stop_reason"] = np.zeros(self.runs, np.int64)
        self.undo: dict[str, Array] = {}  # how to take back a jump whose step is never taken
        filled = {name: array for name, array in self.arrays.items() if array.size}  # nothing may be recorded
        self.compiled = self._compiled(filled)

    def _compiled(self, arrays: dict[str, Array]) -> Any:
        kind: Any
        if self.surface is not None:
            kind = training.Study if isinstance(self.surface, Network) else descend.Study
            return kind(self.surface, self.plan, self.setup, arrays)
        handle = self.f.handle(self.dtype) if isinstance(self.f, CompiledLandscape) else None
        kind = cpu.Study32 if self.dtype == np.float32 else cpu.Study64
        return kind(handle, self.plan, self.setup, arrays)

    def _state(self, given: Mapping[str, Array] | None) -> dict[str, Array]:
        fresh: dict[str, Array] = self.optimizer.init(self.last, self.f.layout, runs_axis=True)
        if (jumps := self.setup["perturbation"]) is not None:
            fresh["perturbed_x"] = self.place.xp.zeros_like(self.last)
            fresh |= {name: self.place.hold(np.zeros(self.runs, self.dtype)) for name in _JUMPED}
            fresh["perturbed_step"] = self.place.hold(np.full(self.runs, self.first - jumps.wait - 1, np.int64))
        if self.f.averages:  # means begin at 0, variances at 1
            begin = np.repeat([0.0, 1.0], self.f.averages // 2)
            fresh["averages"] = self.place.hold(np.tile(begin.astype(self.dtype), (self.runs, 1)))
        if given is None:
            return fresh
        if not isinstance(given, Mapping):
            raise TypeError(f"state: got {type(given).__name__}, expected the state of a trajectory")
        if set(given) != set(fresh):
            raise ValueError(f"state: got entries {sorted(map(str, given))}, expected {sorted(fresh)}")
        for name, array in fresh.items():
            if name == "format":
                if str(given[name]) != str(array):
                    old = str(given[name])[:80]
                    raise ValueError(f"state: got the state of {old}, expected that of {str(array)[:80]}")
                continue
            on_host = self.surface is None or name == "step"
            one = np.asarray(given[name]) if on_host else self.place.bring(given[name], f"state: {name!r}")
            if one.shape != array.shape or one.dtype != array.dtype:
                raise ValueError(f"state: {name!r} is {one.dtype}{one.shape}, expected {array.dtype}{array.shape}")
            array[...] = one
        if "skipped" in fresh and not ((fresh["skipped"] >= 0) & (fresh["skipped"] <= fresh["step"])).all():
            raise ValueError(f"state: 'skipped' is {fresh['skipped']}, expected 0 to 'step', which is {fresh['step']}")
        return fresh

    def trajectory(self, interrupted: bool) -> Trajectory:
        """What the study has come to."""
        self.compiled.flush()
        if interrupted:
            running = self.arrays["stop_step"] < 0
            for name, old in self.undo.items():
                self.arrays[name][running] = old[running]
        # Where all runs have stopped, how far the loop went on is chance.
        now = self.compiled.step if interrupted else self.end
        kept = sum(step < now for step in self.record_steps) if interrupted else len(self.record_steps)
        if isinstance(self.surface, Network) and self.setup["looks"] and not interrupted:
            self._stop_nonfinite(now)
        stopped = self.arrays["stop_step"] >= 0
        reason = self.arrays["stop_reason"] + 1
        if interrupted:
            reason[~stopped] = len(self.reasons) - 2
        if self.surface is None:
            self.optimizer.pack(self.arrays, self.state)
        self.state["step"] += now - self.first
        back = self.place.back
        return Trajectory(
            step=np.array(self.record_steps[:kept], np.int64),
            value=back(self.arrays["value"][:kept]),
            grad_norm=back(self.arrays["grad_norm"][:kept]),
            x=back(self.arrays["x"][:kept]) if "x" in self.arrays else None,
            last=back(self.last),
            state={name: back(array) for name, array in self.state.items()},
            stop_step=np.where(stopped, self.arrays["stop_step"], now),
            stop_reason=self.reasons[reason],
            last_step=now,
            probes={name: _stacked(rows[:kept]) for name, rows in self.probed.items()},
            interrupted=interrupted,
        )

    def _stop_nonfinite(self, now: int) -> None:
        """Networks on the GPU are looked at where they end."""
        finite = self.place.back(self.place.xp.isfinite(self.last).all(axis=1))
        lost = ~np.asarray(download(finite) if on_gpu(finite) else finite)
        self.arrays["stop_step"][lost], self.arrays["stop_reason"][lost] = now, -2

    def probe(self) -> None:
        """The values of the probes at the current points; stopped runs stay where they are."""
        self.compiled.flush()
        for name, probe in self.probes.items():
            point = self.place.back(self.last.copy())  # a probe may keep what it is given
            self.probed[name].append(probe.value(point).copy())


def _stacked(rows: Sequence[Array]) -> Array:
    xp = device().xp if rows and on_gpu(rows[0]) else np
    return xp.stack(rows) if rows else np.array([])
