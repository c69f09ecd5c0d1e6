"""The command that makes a figure again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from optlab.experiment import registry


def command(record: Mapping[str, Any]) -> str:
    """Return the command that computes what `record` says, with the settings in which it differs from the defaults.

    Raises:
        ExperimentError: if the experiment's file is broken.
    """
    name, path = record["name"], registry.paths().get(record["name"])
    parts = ["optlab", "run", name if path else f"{name}.py"]
    parts += ["--quick"] if record["quick"] else []
    parts += ["--seed", str(record["seed"])] if record["seed"] else []
    if path:
        defaults = registry.load(path).parameters(quick=record["quick"])
        for key, value in record["params"].items():
            if key in defaults and _plain(defaults[key]) != value:
                parts += ["--set", f"{key}={_text(value)}"]
    return shlex.join(parts)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
