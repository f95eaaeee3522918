"""`thalweg run`: from what was typed to a result and its folder."""

import contextlib
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax

from thalweg.cli.errors import Misuse, blame
from thalweg.cli.settings import adjust, configure, find_method, parse_settings
from thalweg.cli.stops import parse_stop
from thalweg.cli.targets import Target, find_target
from thalweg.core.config import from_config
from thalweg.core.duration import length
from thalweg.core.status import Status
from thalweg.core.variables import split
from thalweg.minimize import minimize
from thalweg.run import folder
from thalweg.run.callbacks import Progress
from thalweg.run.result import Result
from thalweg.suggest import suggest

CURVES = "curves.png"
PARENT = "runs"


class Request(NamedTuple):
    """What was typed; None where nothing was."""

    problem: str | None = None
    method: str | None = None
    settings: list[str] = []  # noqa: RUF012 - never changed
    stop: str | None = None
    config: Path | None = None
    start: str | None = None
    seed: int | None = None
    restarts: int | None = None
    keep: str | None = None
    validate_every: int | None = None
    out: Path | None = None
    x64: bool | None = None
    quiet: bool = False


class Done(NamedTuple):
    """A finished run and the files that it left."""

    result: Result
    folder: Path
    files: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where the user got what the stop rule asked for."""
        if self.result.status == Status.INTERRUPTED:
            return 130
        return 0 if self.result.ok else 1


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
    place = reserve(request.out or Path(PARENT) / f"{target.label}-{time.strftime('%Y%m%d-%H%M%S')}")
    with removed_if_unused(place):
        bar = Progress(length(options["stop"], 1.0), terminal=False if request.quiet else None)
        with blame(target.file), bar:
            callbacks = [bar] if options["restarts"] == 1 else []  # many starts at once report at their end alone
            result = minimize(target.problem, target.x0, method, callbacks=callbacks, on_failure="ignore", **options)
        repeat = {"thalweg": version(), "problem": target.source, "start": start}
        repeat |= {"x64": bool(jax.config.read("jax_enable_x64")), "validate_every": options["validate_every"]}
        folder.save(result, place, repeat | result.config)
        files = (folder.CONFIG, folder.HISTORY, folder.PARAMETERS, *draw(result, target, place / CURVES))
    return Done(result, place, files)


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


def choose(request: Request, target: Target, config: dict) -> tuple[Any, dict[str, Any]]:
    """Method and options: what was typed, else what the configuration says, else what suits the problem."""
    try:
        stop = from_config(config["stop"]) if "stop" in config else target.stop
        method = from_config(config["method"]) if "method" in config else target.method
    except (KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{request.config}: {error}") from error
    if request.stop is not None:
        stop = parse_stop(request.stop)
    with blame(target.file):
        method = with_settings(request, target, method)
    typed = {"seed": request.seed, "restarts": request.restarts, "keep": request.keep}
    plain = {"seed": 0, "restarts": 1, "keep": "last"}
    options = {name: config.get(name, plain[name]) if value is None else value for name, value in typed.items()}
    options["stop"], options["dispatch"] = stop, config.get("dispatch")
    options["validate_every"] = request.validate_every or config.get("validate_every", target.validate_every)
    return method, options


def with_settings(request: Request, target: Target, method: Any) -> Any:
    """The method by its name, or the one recommended, with every `--set` carried out."""
    settings = parse_settings(request.settings)
    if request.method is not None:
        return configure(find_method(request.method), target.source, settings)
    if settings and method is None:
        method = suggest(target.problem, split(target.x0)[0]).method
    return adjust(method, settings, type(method).__name__) if settings else method


def reserve(path: Path) -> Path:
    """The run's folder, made before the run so that a long one is not lost to a full or forbidden disk."""
    try:
        return folder.reserve(path)
    except OSError as error:
        raise Misuse(f"The folder {path} cannot be made: {error.strerror}; --out names another.") from error


@contextlib.contextmanager
def removed_if_unused(place: Path) -> Iterator[None]:
    """Leaves no empty folder behind where there was nothing to save."""
    try:
        yield
    finally:
        if not any(place.iterdir()):
            place.rmdir()


def draw(result: Result, target: Target, path: Path) -> tuple[str, ...]:
    """The curves, where Matplotlib is there; never a reason for a run to fail."""
    try:
        import logging

        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it speaks of its font cache on first use
        from matplotlib.figure import Figure
    except ImportError:
        print(f'No {CURVES}, which needs matplotlib: pip install "thalweg[plot]".', file=sys.stderr)
        return ()
    from thalweg.plot import history

    # Without pyplot no window system is asked for.
    figure = history(result, minimum=target.minimum, unit=target.unit, figure=Figure(layout="constrained"))
    figure.savefig(path, dpi=120)
    return (path.name,)
