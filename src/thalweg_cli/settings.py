"""Methods from the command line: `--method lbfgs --set memory=20 --set search.c1=1e-3`."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import equinox as eqx

from thalweg.core.duration import Duration, WholeRun
from thalweg.core.stop import Epochs
from thalweg.registry import METHODS, Method
from thalweg.schedules import Schedule
from thalweg_cli.errors import Misuse, unknown

PLAIN = (Schedule, Duration, WholeRun, Epochs)
"""Objects in place of which a number means something: a constant rate, a length in steps."""

WORDS = {"true": True, "false": False, "none": None, "null": None}


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Name -> value of every `name=value`."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise Misuse(f"--set {text!r}: write name=value, for instance memory=20.")
        settings[name.strip()] = parse_value(value.strip())
    return settings


def parse_value(text: str) -> Any:
    """A truth value, a whole number, a real number, or else the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def find_method(name: str) -> Method:
    """The registry row; also found under the name that it has in Python."""
    rows = METHODS | {row.make.__name__.lower(): row for row in METHODS.values()}
    if name.lower() not in rows:
        raise unknown("method", name, METHODS, see="thalweg methods")
    return rows[name.lower()]


def configure(row: Method, problem: str, settings: dict[str, Any]) -> Any:
    """The method with its settings; on a zoo problem that it solves it starts from what suits that problem."""
    if problem in row.solves:
        return adjust(row.example(problem), settings, row.name)
    parameters = inspect.signature(row.make).parameters
    missing = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty and n not in settings]
    if missing:
        example = getattr(row.example(problem), missing[0], "VALUE")
        raise Misuse(f"{row.name} needs {missing[0]}: add --set {missing[0]}={example}.")
    own = {name: value for name, value in settings.items() if name in parameters}
    rest = {name: value for name, value in settings.items() if name not in parameters}
    return adjust(row.make(**own), rest, row.name, offered=tuple(parameters))


def adjust(method: Any, settings: dict[str, Any], name: str, offered: tuple[str, ...] = ()) -> Any:
    """`method` with hyperparameters replaced, wherever they stand inside it; every part checks its own again."""
    for key, value in settings.items():
        paths = dict.fromkeys(hyperparameters(method))
        found = [path for path in paths if path == key] or [path for path in paths if path.endswith("." + key)]
        if len(found) > 1:
            raise Misuse(f"{key!r} could be {' or '.join(found)} in {name}: say which.")
        if not found:
            short = {path.rpartition(".")[2] for path in paths}
            raise unknown(f"setting of {name}", key, {*short, *offered} - {""})
        method = replace(method, found[0].split("."), value)
    return method


def hyperparameters(module: Any, prefix: str = "") -> Iterator[str]:
    """The dotted name of every field that a number or a word can be given to, outer ones first."""
    fields = [(field.name, getattr(module, field.name)) for field in dataclasses.fields(module) if field.init]
    yield from (
        prefix + name for name, value in fields if not isinstance(value, eqx.Module) or isinstance(value, PLAIN)
    )
    for name, value in fields:
        if isinstance(value, eqx.Module):
            yield from hyperparameters(value, f"{prefix}{name}.")


def replace(module: Any, path: list[str], value: Any) -> Any:
    """A copy with the field at `path` replaced."""
    head, *rest = path
    return dataclasses.replace(module, **{head: replace(getattr(module, head), rest, value) if rest else value})
