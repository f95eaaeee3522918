"""What `thalweg run` is asked to run: a problem of the zoo, or one in the user's own file."""

import difflib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from thalweg.core.objective import Latent
from thalweg.core.problem import Problem
from thalweg.minimization import minimize
from thalweg.problems import JOBS
from thalweg_cli.errors import MANY, Misuse, blame, unknown

FORM = "FILE.py:NAME"

OPTIONS = (
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
"""Options of `minimize` that a problem's author may recommend and a configuration holds."""

PLAIN = {name: inspect.signature(minimize).parameters[name].default for name in OPTIONS}
"""What `minimize` does by itself."""


class Target(NamedTuple):
    """A problem and its start, with what its author recommends.

    - `label`: names the run's folder. `source`: names the problem in a configuration. `file`: the user's, if any.
    - `method` and `options`: for `minimize`. `minimum` and `unit`: for the figure, where they are known.
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


def find_target(text: str, start: str | None) -> Target:
    """The target named `text`: in the zoo, or `FILE.py:NAME` with its start under the name `start`."""
    path, colon, name = text.rpartition(":")
    if text.endswith(".py"):
        path, name = text, "problem"
    elif not colon or not path:
        return zoo_target(text, start)
    return file_target(Path(path).expanduser().absolute(), name, start)


def zoo_target(name: str, start: str | None) -> Target:
    """A problem of the zoo."""
    if name not in JOBS:
        raise unknown("problem", name, JOBS, see="thalweg problems")
    if start is not None:
        raise Misuse(f"--start {start}: {name} has its own start; --start names one in a file, as in {FORM}.")
    with blame(None):
        return described(JOBS[name](), name, name, None, None)


def file_target(file: Path, name: str, start: str | None) -> Target:
    """A problem in the user's file."""
    module = load(file)
    if name not in vars(module):
        raise absent(file, name, module)
    with blame(file):
        found = getattr(module, name)
        if inspect.isfunction(found) and not required(found):
            found = found()
    label = file.stem if name == "problem" else f"{file.stem}-{name}"
    if isinstance(found, tuple) and len(found) == 2:
        problem, x0 = found
        return Target(label, f"{file}:{name}", file, as_problem(problem, file, name), x0)
    if getattr(found, "problem", None) is not None:
        return described(found, label, f"{file}:{name}", file, start_in(module, file, start) if start else None)
    problem = as_problem(found, file, name)
    if start is None and "x0" not in vars(module) and isinstance(problem.objective, Latent):
        return Target(label, f"{file}:{name}", file, problem, None)
    return Target(label, f"{file}:{name}", file, problem, start_in(module, file, start or "x0"))


def described(found: Any, label: str, source: str, file: Path | None, x0: Any) -> Target:
    """A target from an object with `problem` and `x0`, and perhaps more."""
    x0 = getattr(found, "x0", None) if x0 is None else x0
    if x0 is None:
        raise Misuse(f"{source} has a problem and no x0.")
    problem = as_problem(found.problem, file or Path(), label)
    more = {name: getattr(found, name, Target._field_defaults[name]) for name in ("method", "minimum", "unit")}
    options = {name: getattr(found, name, default) for name, default in PLAIN.items()}
    return Target(label, source, file, problem, x0, options=options, **more)


def load(file: Path) -> ModuleType:
    """The user's file as a module, with its folder on the path as if it were run."""
    if not file.is_file():
        raise Misuse(f"There is no file {file}.")
    name = file.stem if file.stem not in sys.modules else f"{file.stem}_"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Misuse(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    sys.modules[name] = module  # a configuration finds the user's classes by their module
    with blame(file):
        spec.loader.exec_module(module)
    return module


def required(function: Any) -> list[str]:
    """The arguments without which `function` cannot be called."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def as_problem(found: Any, file: Path, name: str) -> Problem:
    """A problem as it is; a function of x as a problem."""
    if isinstance(found, Problem):
        return found
    if callable(found) and not isinstance(found, type):
        with blame(file):
            return Problem(found)
    raise Misuse(
        f"{file}:{name} is of type {type(found).__name__}: give a tw.Problem, a function of x, or a function without "
        "arguments that returns (problem, x0)."
    )


def start_in(module: ModuleType, file: Path, name: str) -> Any:
    """The start under `name`; called where it is a function."""
    if name not in vars(module):
        raise absent(file, name, module, " (the start; --start names another)")
    x0 = getattr(module, name)
    with blame(file):
        return x0() if inspect.isfunction(x0) else x0


def absent(file: Path, name: str, module: ModuleType, what: str = "") -> Misuse:
    """The file has no such name."""
    names = [n for n, v in vars(module).items() if not n.startswith("_") and not inspect.ismodule(v)]
    near = difflib.get_close_matches(name, names, n=1)
    others = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:MANY]) or 'no names'}."
    return Misuse(f"{file} has no {name!r}{what}: {others}")
