"""The problem that `thalweg run` solves: one of the zoo, or one in the user's file."""

import difflib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.minimization import minimize
from thalweg.problems import JOBS
from thalweg_cli.errors import MAX_NAMES, Misuse, unknown_name, user_file_errors

_FILE_FORM = "FILE.py:NAME"

OPTION_NAMES = (
    "batch_size",
    "last",
    "shuffle",
    "stop",
    "keep",
    "restarts",
    "spread",
    "seed",
    "validate_every",
    "dispatch",
    "on_nonfinite",
)
"""Options of `tw.minimize` that the author of a problem may set and a configuration holds."""

DEFAULT_OPTIONS = {name: inspect.signature(minimize).parameters[name].default for name in OPTION_NAMES}
"""The defaults of `tw.minimize`."""


class RunTarget(NamedTuple):
    """A problem and its start, with the method and options that its author recommends.

    - `label`: the name of the problem in the run's folder. `source`: its name in a configuration.
    - `file`: the user's file, if the problem comes from one. `problem`, `x0`: the problem and its start.
    - `method`, `options`: the recommended method and options. `minimum`, `unit`: for the figure, if they are known.
    """

    label: str
    source: str
    file: Path | None
    problem: Problem
    x0: Any
    method: Any = None
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    minimum: float | None = None
    unit: str = ""


def find_target(text: str, start: str | None) -> RunTarget:
    """Returns the target `text`: a problem of the zoo, or `FILE.py:NAME` with its start under the name `start`."""
    path, colon, name = text.rpartition(":")
    if text.endswith(".py"):
        path, name = text, "problem"
    elif not colon or not path:
        return _zoo_target(text, start)
    return _file_target(Path(path).expanduser().absolute(), name, start)


def _zoo_target(name: str, start: str | None) -> RunTarget:
    """Returns a problem of the zoo as a target."""
    if name not in JOBS:
        raise unknown_name("problem", name, JOBS, see="thalweg problems")
    if start is not None:
        raise Misuse(f"--start {start}: {name} has its own start; --start is for problems in a file, {_FILE_FORM}.")
    with user_file_errors(None):
        return _target_from_object(JOBS[name](), name, name, None, None)


def _file_target(file: Path, name: str, start: str | None) -> RunTarget:
    """Returns a problem in the user's file as a target."""
    module = _load_module(file)
    if name not in vars(module):
        raise _missing_name(file, name, module)
    with user_file_errors(file):
        found = getattr(module, name)
        if inspect.isfunction(found) and not _required_arguments(found):
            found = found()
    label = file.stem if name == "problem" else f"{file.stem}-{name}"
    if isinstance(found, tuple) and len(found) == 2:
        problem, x0 = found
        return RunTarget(label, f"{file}:{name}", file, _problem_from(problem, file, name), x0)
    if getattr(found, "problem", None) is not None:
        return _target_from_object(
            found, label, f"{file}:{name}", file, _start_from_module(module, file, start) if start else None
        )
    problem = _problem_from(found, file, name)
    if start is None and "x0" not in vars(module) and Oracle.START in problem.objective.offers:
        return RunTarget(label, f"{file}:{name}", file, problem, None)
    return RunTarget(label, f"{file}:{name}", file, problem, _start_from_module(module, file, start or "x0"))


def _target_from_object(found: Any, label: str, source: str, file: Path | None, x0: Any) -> RunTarget:
    """Returns a target from an object with `problem` and `x0`, and possibly a method and options."""
    x0 = getattr(found, "x0", None) if x0 is None else x0
    if x0 is None:
        raise Misuse(f"{source} has a problem but no x0.")
    problem = _problem_from(found.problem, file or Path(), label)
    more = {name: getattr(found, name, RunTarget._field_defaults[name]) for name in ("method", "minimum", "unit")}
    options = {name: getattr(found, name, default) for name, default in DEFAULT_OPTIONS.items()}
    return RunTarget(label, source, file, problem, x0, options=options, **more)


def _load_module(file: Path) -> ModuleType:
    """Imports the user's file as a module, with its folder on the path, as if it were run."""
    if not file.is_file():
        raise Misuse(f"There is no file {file}.")
    name = file.stem if file.stem not in sys.modules else f"{file.stem}_"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Misuse(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    sys.modules[name] = module  # a configuration finds the user's classes by their module
    with user_file_errors(file):
        spec.loader.exec_module(module)
    return module


def _required_arguments(function: Any) -> list[str]:
    """Returns the names of the arguments of `function` that have no default."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def _problem_from(found: Any, file: Path, name: str) -> Problem:
    """Returns a problem as it is, and a function of x as a problem."""
    if isinstance(found, Problem):
        return found
    if callable(found) and not isinstance(found, type):
        with user_file_errors(file):
            return Problem(found)
    raise Misuse(
        f"{file}:{name} is of type {type(found).__name__}: give a tw.Problem, a function of x, or a function without "
        "arguments that returns (problem, x0)."
    )


def _start_from_module(module: ModuleType, file: Path, name: str) -> Any:
    """Returns the start under `name`, calling it if it is a function."""
    if name not in vars(module):
        raise _missing_name(file, name, module, " (the start; use --start for another name)")
    x0 = getattr(module, name)
    with user_file_errors(file):
        return x0() if inspect.isfunction(x0) else x0


def _missing_name(file: Path, name: str, module: ModuleType, what: str = "") -> Misuse:
    """Returns the error for a name that the user's file does not have."""
    names = [n for n, v in vars(module).items() if not n.startswith("_") and not inspect.ismodule(v)]
    near = difflib.get_close_matches(name, names, n=1)
    others = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:MAX_NAMES]) or 'no names'}."
    return Misuse(f"{file} has no {name!r}{what}: {others}")
