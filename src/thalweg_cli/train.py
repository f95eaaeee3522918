"""`thalweg run`: from what was typed to a result and its folder."""

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
from thalweg.run.history import History, write_history
from thalweg.run.progress import Progress
from thalweg.run.result import Result
from thalweg_cli import folder
from thalweg_cli.errors import Misuse, blame
from thalweg_cli.options import choose, describe
from thalweg_cli.parameters import write_parameters
from thalweg_cli.report import Done, summary
from thalweg_cli.targets import Target, find_target


class Request(NamedTuple):
    """What was typed; None where nothing was."""

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


def run(request: Request) -> Done:
    """Does what was asked; raises `Misuse` where that makes no sense."""
    config = {} if request.config is None else read(request.config)
    if request.x64 is not None or "x64" in config:
        jax.config.update("jax_enable_x64", bool(config.get("x64") if request.x64 is None else request.x64))
    if request.problem is None and "problem" not in config:
        raise Misuse("Say what to run, for instance `thalweg run digits`; `thalweg problems` lists what there is.")
    start = request.start or (config.get("start") if request.problem is None else None)
    target = find_target(request.problem or config["problem"], start)
    method, options = choose(request, target, config)
    with reserved(request.out or folder.PARENT / f"{target.label}-{time.strftime('%Y%m%d-%H%M%S')}") as place:
        with blame(target.file):
            asked = {"thalweg": version(), "problem": target.source, "start": start}
            asked |= {"x64": bool(jax.config.read("jax_enable_x64"))} | describe(method, target, options)
            write_json(place / folder.CONFIG, asked)
            many = options["restarts"] > 1  # they report at their end alone
            callbacks = [] if many else [History(place / folder.HISTORY), *([] if request.quiet else [Progress()])]
            result = minimize(target.problem, target.x0, method, callbacks=callbacks, on_failure="ignore", **options)
        if many:
            write_history(result, place / folder.HISTORY)
        write_parameters(result.x, place / folder.PARAMETERS)
        draw(result, target, place / folder.CURVES)
        written = (folder.CONFIG, folder.HISTORY, folder.PARAMETERS, folder.CURVES)
        done = Done(result, place, (*(name for name in written if (place / name).exists()), folder.RESULT))
        write_json(place / folder.RESULT, summary(done))
    return done


def write_json(path: Path, value: dict) -> None:
    """One JSON object, indented."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def version() -> str:
    """The installed version."""
    try:
        return metadata.version("thalweg")
    except metadata.PackageNotFoundError:
        return "not installed"


def read(path: Path) -> dict:
    """A configuration from a file, or from a run's folder."""
    try:
        return folder.read_config(path)
    except ValueError as error:
        raise Misuse(str(error)) from error


@contextlib.contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """The run's folder, made before the run so that a long one is not lost to a full or forbidden disk.

    Nothing is left of it where the run could not begin.
    """
    try:
        place = folder.reserve(path)
    except OSError as error:
        raise Misuse(f"The folder {path} cannot be made: {error.strerror}; --out names another.") from error
    try:
        yield place
    except Misuse:
        if {file.name for file in place.iterdir()} <= {folder.CONFIG}:
            (place / folder.CONFIG).unlink(missing_ok=True)
            place.rmdir()
        raise
    except OSError as error:
        if error.filename is None or not Path(error.filename).is_relative_to(place):
            raise
        raise Misuse(f"{error.filename} cannot be written: {error.strerror}.") from error


def draw(result: Result, target: Target, path: Path) -> None:
    """The curves, where Matplotlib is there; never a reason for a run to fail."""
    try:
        import logging

        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it speaks of its font cache on first use
        from matplotlib.figure import Figure
    except ImportError:
        print(f'No {path.name}, which needs matplotlib: pip install "thalweg[plot]".', file=sys.stderr)
        return
    from thalweg.plot import history

    # Without pyplot no window system is asked for.
    figure = history(result, minimum=target.minimum, unit=target.unit, figure=Figure(layout="constrained"))
    figure.savefig(path, dpi=120)
