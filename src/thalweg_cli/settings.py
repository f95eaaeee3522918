"""Methods from the command line: `--method lbfgs --set memory=20 --set search.slope=1e-3`, `--set rule=adam`."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import equinox as eqx

from thalweg.core.duration import Duration, WholeRun
from thalweg.core.rule import Rule
from thalweg.core.solver import Solver
from thalweg.core.stop import Epochs
from thalweg.registry import METHODS, Method
from thalweg.schedules import Schedule
from thalweg_cli.errors import Misuse, unknown_name

_REPLACEABLE_BY_NUMBER = (Schedule, Duration, WholeRun, Epochs)
"""Types of hyperparameters that a number can replace: a constant rate for a schedule, steps for a duration."""

_LITERALS = {"true": True, "false": False, "none": None, "null": None}


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Returns name -> value for texts of the form `name=value`."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise Misuse(f"--set {text!r}: write name=value, for instance memory=20.")
        settings[name.strip()] = _parse_value(value.strip())
    return settings


def _parse_value(text: str) -> Any:
    """Returns a text as a bool, None, an int or a float, or else as it is."""
    if text.lower() in _LITERALS:
        return _LITERALS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def find_method(name: str) -> Method:
    """Returns the registry row of a method, by its name or by its name in Python."""
    rows = METHODS | {row.make.__name__.lower(): row for row in METHODS.values()}
    if name.lower() not in rows:
        raise unknown_name("method", name, METHODS, see="thalweg methods")
    return rows[name.lower()]


def configure(row: Method, problem: str, settings: dict[str, Any]) -> Any:
    """Returns the method with settings; on a problem of its registry row, the other settings suit that problem."""
    if problem in row.solves:
        return adjust(row.example(problem), settings, row.name)
    parameters = inspect.signature(row.make).parameters
    if any(_has_parts(getattr(row.example(problem), name, None)) for name in parameters):
        return adjust(row.example(problem), settings, row.name)
    missing = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty and n not in settings]
    if missing:
        example = getattr(row.example(problem), missing[0], "VALUE")
        raise Misuse(f"{row.name} needs {missing[0]}: add --set {missing[0]}={example}.")
    own = {name: value for name, value in settings.items() if name in parameters}
    rest = {name: value for name, value in settings.items() if name not in parameters}
    return adjust(row.make(**own), rest, row.name, offered=tuple(parameters))


def _has_parts(value: Any) -> bool:
    """Whether a field holds rules or solvers, for which those of the registry's example are the default."""
    return isinstance(value, (Rule, Solver)) or (isinstance(value, tuple) and any(map(_has_parts, value)))


def adjust(method: Any, settings: dict[str, Any], name: str, offered: tuple[str, ...] = ()) -> Any:
    """Returns `method` with hyperparameters replaced, also inside its parts; every part checks its values again."""
    for key, value in sorted(settings.items(), key=lambda item: not isinstance(item[1], str)):  # names, then numbers
        paths = dict.fromkeys(_hyperparameters(method))
        found = [path for path in paths if path == key] or [path for path in paths if path.endswith("." + key)]
        if len(found) > 1:
            raise Misuse(f"{key!r} could be {' or '.join(found)} in {name}: write the full name.")
        if not found:
            short = {path.rpartition(".")[2] for path in paths}
            raise unknown_name(f"setting of {name}", key, {*short, *offered} - {""})
        method = _replace_field(method, found[0].split("."), value)
    return method


def _hyperparameters(module: Any, prefix: str = "") -> Iterator[str]:
    """Yields the dotted name of every field that a number or a word can replace, outer fields first."""
    fields = _named_parts(module)
    words = (*_REPLACEABLE_BY_NUMBER, Rule, Solver)
    yield from (
        prefix + name
        for name, value in fields
        if (not isinstance(value, eqx.Module) or isinstance(value, words))
        and not (_has_parts(value) and _holds_many(value))
    )
    for name, value in fields:
        if isinstance(value, eqx.Module) or _holds_many(value):
            yield from _hyperparameters(value, f"{prefix}{name}.")


def _holds_many(value: Any) -> bool:
    """Whether a field holds several rules or solvers."""
    return isinstance(value, tuple) and _has_parts(value)


def _named_parts(module: Any) -> list[tuple[str, Any]]:
    """Returns name and value of every field, or index and value of every entry of a tuple."""
    if isinstance(module, tuple):
        return [(str(i), value) for i, value in enumerate(module)]
    return [(field.name, getattr(module, field.name)) for field in dataclasses.fields(module) if field.init]


def _replace_field(module: Any, path: list[str], value: Any) -> Any:
    """Returns a copy with the field at `path` replaced; a word for a rule or solver is the name of a method."""
    head, *rest = path
    before = dict(_named_parts(module))[head]
    if rest:
        value = _replace_field(before, rest, value)
    elif isinstance(before, (Rule, Solver)):
        value = find_method(str(value)).example("")
    if isinstance(module, tuple):
        return tuple(value if str(i) == head else entry for i, entry in enumerate(module))
    return dataclasses.replace(module, **{head: value})
