"""The options that commands share, each declared once."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Device(str, Enum):
    """Where the kernels run."""

    cpu = "cpu"
    gpu = "gpu"


Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Experiments, or paths of .py files.")]
Everything = Annotated[bool, typer.Option("--all", help="Every experiment.")]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller sizes: seconds instead of minutes.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Master seed of all randomness.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a parameter.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of figures, records and data.")]
Where = Annotated[Device, typer.Option("--device", help="Where descents and landscapes are computed.")]
Workers = Annotated[int, typer.Option("-j", "--jobs", metavar="N", min=1, help="Experiments at a time.")]
Force = Annotated[bool, typer.Option("--force", help="Compute although the results are up to date.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Space = Annotated[
    list[str] | None, typer.Option("--param", metavar="KEY=SPACE", help="log(LOW,HIGH), linear(LOW,HIGH), A|B.")
]
Minimize = Annotated[
    str | None, typer.Option(metavar="KEY", help="What to make small: a claim, or a number of the data.")
]
Maximize = Annotated[str | None, typer.Option(metavar="KEY", help="What to make large, instead.")]
Samplers = Annotated[
    list[str] | None, typer.Option("--sampler", metavar="NAME", help="grid, random, tpe or gp; several are compared.")
]
Trials = Annotated[int, typer.Option("--trials", metavar="N", min=1, help="Trials of each sampler, in all.")]
Storage = Annotated[
    Path | None,
    typer.Option("--storage", metavar="FILE", help="Where the search is kept, searches/NAME.db if not given."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works after a command too.")]
Version = Annotated[bool, typer.Option("--version", help="Print the version.")]
