"""The command `thalweg run`: from its arguments to a result and its folder."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import jax

from thalweg.minimization import minimize
from thalweg.run.files import write_text
from thalweg.run.observe.history import History, write_history
from thalweg.run.observe.progress import Progress
from thalweg.run.result import Result
from thalweg_cli import run_folder
from thalweg_cli.errors import Misuse, user_file_errors
from thalweg_cli.parameters import write_parameters
from thalweg_cli.report import FinishedRun, summary
from thalweg_cli.run_options import method_and_options, run_config
from thalweg_cli.run_target import RunTarget, find_target


class RunArguments(NamedTuple):
    """The arguments of `thalweg run`; None for those that were not given."""

    problem: str | None = None
    method: str | None = None
    settings: list[str] = []  # noqa: RUF012 - never changed
    stop: str | None = None
    epochs: float | None = None
    batch_size: str | None = None
    validate_every: int | None = None
    keep: str | None = None
    on_nonfinite: str | None = None
    restarts: int | None = None
    seed: int | None = None
    start: str | None = None
    x64: bool | None = None
    config: Path | None = None
    out: Path | None = None
    quiet: bool = False


def execute(request: RunArguments) -> FinishedRun:
    """Runs the problem and saves the run; raises `Misuse` for invalid arguments."""
    config = {} if request.config is None else _read_run_config(request.config)
    if request.x64 is not None or "x64" in config:
        jax.config.update("jax_enable_x64", bool(config.get("x64") if request.x64 is None else request.x64))
    if request.problem is None and "problem" not in config:
        raise Misuse("Give a problem, for instance `thalweg run digits`; `thalweg problems` lists all of them.")
    start = request.start or (config.get("start") if request.problem is None else None)
    target = find_target(request.problem or config["problem"], start)
    method, options = method_and_options(request, target, config)
    with _reserved_folder(
        request.out or run_folder.RUNS_FOLDER / f"{target.label}-{time.strftime('%Y%m%d-%H%M%S')}"
    ) as place:
        with user_file_errors(target.file):
            asked = {"thalweg": _installed_version(), "problem": target.source, "start": start}
            asked |= {"x64": bool(jax.config.read("jax_enable_x64"))} | run_config(method, target, options)
            _write_json(place / run_folder.CONFIG, asked)
            many = options["restarts"] > 1  # restarts take no callbacks
            callbacks = [] if many else [History(place / run_folder.HISTORY), *([] if request.quiet else [Progress()])]
            result = minimize(target.problem, target.x0, method, callbacks=callbacks, on_failure="ignore", **options)
        if many:
            write_history(result, place / run_folder.HISTORY)
        write_parameters(result.x, place / run_folder.PARAMETERS)
        _save_curves(result, target, place / run_folder.CURVES)
        written = (run_folder.CONFIG, run_folder.HISTORY, run_folder.PARAMETERS, run_folder.CURVES)
        done = FinishedRun(result, place, (*(name for name in written if (place / name).exists()), run_folder.RESULT))
        _write_json(place / run_folder.RESULT, summary(done))
    return done


def _write_json(path: Path, value: dict) -> None:
    """Writes one indented JSON object."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _installed_version() -> str:
    """Returns the installed version."""
    try:
        return metadata.version("thalweg")
    except metadata.PackageNotFoundError:
        return "not installed"


def _read_run_config(path: Path) -> dict:
    """Returns a configuration from a file, or from the folder of a run."""
    try:
        return run_folder.read_config(path)
    except ValueError as error:
        raise Misuse(str(error)) from error


@contextlib.contextmanager
def _reserved_folder(path: Path) -> Iterator[Path]:
    """Makes the folder before the run, so that a long run is not lost because it cannot be written.

    The folder is removed again if the run could not begin.
    """
    try:
        place = run_folder.reserve_folder(path)
    except OSError as error:
        raise Misuse(f"The folder {path} cannot be made: {error.strerror}; use --out for another one.") from error
    try:
        yield place
    except Misuse:
        if {file.name for file in place.iterdir()} <= {run_folder.CONFIG}:
            (place / run_folder.CONFIG).unlink(missing_ok=True)
            place.rmdir()
        raise
    except OSError as error:
        if error.filename is None or not Path(error.filename).is_relative_to(place):
            raise
        raise Misuse(f"{error.filename} cannot be written: {error.strerror}.") from error


def _save_curves(result: Result, target: RunTarget, path: Path) -> None:
    """Saves the curves as a figure; without Matplotlib it only prints a note."""
    try:
        import logging

        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it logs that it builds a font cache on first use
        from matplotlib.figure import Figure
    except ImportError:
        print(f'{path.name} was not drawn, because it needs matplotlib: pip install "thalweg[plot]".', file=sys.stderr)
        return
    from thalweg.plot import history

    # A figure made without pyplot needs no display.
    figure = history(result, minimum=target.minimum, unit=target.unit, figure=Figure(layout="constrained"))
    figure.savefig(path, dpi=120)
