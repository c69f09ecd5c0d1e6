"""The command `optlab`.

Exit codes: 0 when all is well, 1 when a claim fails or something goes wrong, 2 on wrong use, 130 on Ctrl-C.
"""

from __future__ import annotations

import io
import json
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from optlab import search
from optlab.backends import current
from optlab.cli.errors import complain
from optlab.cli.options import (
    Debug,
    Device,
    Everything,
    Force,
    Json,
    Maximize,
    Minimize,
    Names,
    Out,
    Quick,
    Samplers,
    Seed,
    Settings,
    Space,
    Storage,
    Trials,
    Version,
    Where,
    Workers,
)
from optlab.cli.terminal import Bar, show_experiments, show_facts, show_outcome, show_tuned
from optlab.errors import ExperimentError, InterruptError, OptlabError, UsageError
from optlab.experiment import provenance, registry, runner
from optlab.experiment.job import Job, Outcome

SCHEMA = 1

app = typer.Typer(
    help="Experiments on how training works: each figure carries claims that can fail.",
    add_completion=False,
    invoke_without_command=True,
)


@app.callback()
def start(context: typer.Context, debug: Debug = False, version: Version = False) -> None:
    """Experiments on how training works: each figure carries claims that can fail."""
    context.obj = debug
    if version:
        typer.echo(provenance.kernels()["version"])
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_(as_json: Json = False) -> int:
    """List the experiments."""
    found, broken = [], 0
    for path in registry.paths().values():
        try:
            found.append(registry.load(path))
        except ExperimentError as error:
            broken += 1
            complain(error)
    if as_json:
        fields = ("name", "title", "source", "question", "params")
        _print({"experiments": [{key: getattr(experiment, key) for key in fields} for experiment in found]})
    else:
        show_experiments(found)
    return 1 if broken else 0


@app.command()
def run(
    context: typer.Context,
    names: Names = None,
    everything: Everything = False,
    quick: Quick = False,
    seed: Seed = 0,
    settings: Settings = None,
    out: Out = Path("figures"),
    device: Where = Device.cpu,
    jobs: Workers = 1,
    force: Force = False,
    as_json: Json = False,
) -> int:
    """Compute experiments, check their claims, and write NAME.png, .svg, .npz and .json; keep what is up to date."""
    _require(device)
    chosen = _chosen(names, everything)
    plan = runner.plan(
        chosen, seed=seed, quick=quick, settings=settings or (), out=out, force=force, device=device.value
    )
    return _carry_out(plan, jobs, as_json=as_json, debug=context.obj, place=f"; files in '{out}'")


@app.command()
def check(
    context: typer.Context,
    names: Names = None,
    everything: Everything = False,
    quick: Quick = False,
    seed: Seed = 0,
    settings: Settings = None,
    device: Where = Device.cpu,
    jobs: Workers = 1,
    as_json: Json = False,
) -> int:
    """Compute experiments afresh and check their claims; write nothing."""
    _require(device)
    chosen = _chosen(names, everything)
    plan = runner.plan(chosen, seed=seed, quick=quick, settings=settings or (), device=device.value)
    return _carry_out(plan, jobs, as_json=as_json, debug=context.obj, place="")


@app.command()
def tune(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment, or the path of a .py file.")],
    param: Space = None,
    minimize: Minimize = None,
    maximize: Maximize = None,
    sampler: Samplers = None,
    trials: Trials = 50,
    quick: Quick = False,
    seed: Seed = 0,
    settings: Settings = None,
    storage: Storage = None,
    as_json: Json = False,
) -> int:
    """Search an experiment's parameters; the same command goes on where it was interrupted."""
    if (minimize is None) == (maximize is None):
        raise UsageError("say what to search for: --minimize KEY or --maximize KEY, but not both")
    (job,) = runner.plan([name], seed=seed, quick=quick, settings=settings or ())
    measure = minimize or maximize or ""
    objective = search.Objective(job.path, measure, seed=seed, quick=quick, settings=settings or ())
    space, kept = search.parsed(param or (), objective.p), storage or Path("searches") / f"{job.path.stem}.db"
    options: dict[str, Any] = {"maximize": maximize is not None, "storage": kept}
    try:
        with Bar() as bar:
            found = search.tune(objective, space, sampler or ["tpe"], trials, progress=bar, **options)
    except KeyboardInterrupt as interrupt:
        raise InterruptError(f"interrupted; what was done is in '{kept}', and the same command goes on") from interrupt
    if as_json:
        head = {"experiment": job.path.stem, "measure": measure, "maximize": maximize is not None, "seed": seed}
        _print({"search": {**head, "results": [each.to_json() for each in found]}})
    else:
        show_tuned(found, measure, kept)
    return 0


@app.command()
def gallery(
    figures: Annotated[Path, typer.Option("--figures", metavar="DIR", help="Folder of the records.")] = Path("figures"),
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path("gallery.html"),
) -> int:
    """Write one page of all figures with their claims, to be opened without a network."""
    # Imported here because it needs what draws and resizes pictures, and no other command does.
    from optlab import gallery as galleries

    typer.echo(galleries.write(figures, out))
    return 0


@app.command()
def bench(
    names: Names = None,
    quick: Quick = False,
    device: Where = Device.cpu,
    as_json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the rows there.")] = None,
    figure: Annotated[Path | None, typer.Option(metavar="DIR", help="Also draw bench_NAME there.")] = None,
) -> int:
    """Measure the kernels against their peers."""
    _require(device)
    from optlab import bench as benchmarks

    benchmarks.run(names or [], quick, as_json, figure, device.value)
    return 0


@app.command()
def info(as_json: Json = False) -> int:
    """Show the version, the kernels, the machine and the libraries."""
    facts = provenance.info()
    if as_json:
        typer.echo(json.dumps({"schema": SCHEMA, **facts}, indent=2))
    else:
        show_facts(facts)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error is one line on the standard error stream."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    # Accepted on either side of the subcommand, so it is moved to the one where it is declared.
    ordered = ["--debug"] * debug + [argument for argument in arguments if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, and not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        command = typer.main.get_command(app)
        code = command.main(args=ordered, prog_name="optlab", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return complain(error)
    # Newer releases of Typer turn Ctrl-C into this code without a word.
    if code == InterruptError.exit_code:
        return complain(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def _require(device: Device) -> None:
    if device is Device.cpu:
        return
    try:
        current.device()
    except OptlabError as error:
        raise UsageError(f"--device gpu: {error}") from None


def _chosen(names: Sequence[str] | None, everything: bool) -> list[str]:
    if bool(names) == everything:
        raise UsageError("name the experiments (or paths of .py files), or give --all, but not both")
    chosen = [str(path) for path in registry.paths().values()] if everything else list(names or ())
    if not chosen:
        raise UsageError(f"there are no experiments in '{registry.folder()}'")
    return chosen


def _carry_out(plan: Sequence[Job], jobs: int, *, as_json: bool, debug: bool, place: str) -> int:
    outcomes: dict[str, Outcome] = {}
    try:
        with Bar() as bar:
            for outcome in runner.run(plan, jobs, bar):
                outcomes[outcome.name] = outcome
                bar.aside(partial(_report, outcome, as_json=as_json, debug=debug, place=place))
    except KeyboardInterrupt as interrupt:
        raise InterruptError(
            f"interrupted after {len(outcomes)} of {len(plan)}; no file is half written"
        ) from interrupt
    if as_json:
        _print({"experiments": [_plain(outcomes[job.path.stem]) for job in plan]})
    return max((outcome.exit_code for outcome in outcomes.values()), default=0)


def _report(outcome: Outcome, *, as_json: bool, debug: bool, place: str) -> None:
    if outcome.error:
        if debug:
            print(outcome.trace, file=sys.stderr, end="")
        complain(ExperimentError(outcome.error))
    elif not as_json:
        show_outcome(outcome, place)


def _plain(outcome: Outcome) -> dict[str, Any]:
    state = "failed" if outcome.error else "computed" if outcome.fresh else "up to date"
    details = outcome.record or {"name": outcome.name, "claims": [], "error": outcome.error}
    return {**details, "state": state}


def _print(values: dict[str, Any]) -> None:
    typer.echo(json.dumps({"schema": SCHEMA, **values}, indent=2, allow_nan=False))
