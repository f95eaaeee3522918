"""Configured objects as plain JSON, and back.

`to_config` writes every field, also those equal to their default, so that a run can be repeated by another version
of the defaults. `from_config` builds only our own classes and those that are already imported: a file cannot name
other code to load.
"""

import dataclasses
import importlib
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from thalweg.core.duration import Duration

_OWN_PACKAGE = __name__.partition(".")[0]
"""The package whose classes go by their bare names."""
_JSON_TYPES = (str, bool, int, type(None))
_NAMEABLE = ("thalweg.rules.masks",)
"""Modules whose functions a configuration may name: they map parameters to choices, and do nothing else."""


def to_config(value: Any) -> Any:
    """`value` as dicts, lists, strings and numbers.

    Configured objects (rules, solvers, stops, schedules, ...) become `{"type": name, field: ...}`; arrays keep their
    dtype; functions are named, and only our own masks can be read back. Anything else is a `TypeError`.
    """
    if isinstance(value, _JSON_TYPES):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return {"array": np.asarray(value).tolist(), "dtype": str(value.dtype)}
    if isinstance(value, (list, tuple)):
        return [to_config(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {str(k): to_config(v) for k, v in value.items()}}
    if isinstance(value, eqx.Module):
        fields = {f.name: to_config(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": _type_name(type(value)), **fields}
    if callable(value):
        return {"function": f"{getattr(value, '__module__', '?')}:{getattr(value, '__qualname__', repr(value))}"}
    raise TypeError(f"{value!r} is a {type(value).__name__}, which a configuration cannot hold.")


def from_config(config: Any) -> Any:
    """The object that `config`, made by `to_config`, describes; a list comes back as a tuple."""
    if isinstance(config, (*_JSON_TYPES, float)):
        return config
    if isinstance(config, list):
        return tuple(from_config(v) for v in config)
    if not isinstance(config, dict):
        raise TypeError(f"{config!r} is not part of a configuration.")
    if "type" in config:  # first: a class may have fields of any name
        return _build(config)
    if "float" in config:
        return float(config["float"])
    if "array" in config:
        return np.asarray(config["array"], dtype=config["dtype"])
    if "dict" in config:
        return {k: from_config(v) for k, v in config["dict"].items()}
    if "function" in config:
        return _named_function(config["function"])
    return _build(config)


def _named_function(name: str) -> Callable:
    """The function `module:name`, where a configuration may name it."""
    module, _, qualname = name.partition(":")
    function = vars(importlib.import_module(module)).get(qualname) if module in _NAMEABLE else None
    if not callable(function) or getattr(function, "__module__", None) != module:
        raise ValueError(f"The function {name} cannot be read from a configuration: pass it in code.")
    return function


def _build(config: dict) -> Any:
    """The configured object of a `{"type": ...}` entry."""
    if "type" not in config:
        raise ValueError(f"A configured object needs a 'type'; this one has {sorted(config)}.")
    cls = find(config["type"])
    names = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(config) - names - {"type"})
    if unknown:
        raise ValueError(f"{config['type']} has no field {unknown[0]!r}; its fields are {', '.join(sorted(names))}.")
    return cls(**{name: from_config(v) for name, v in config.items() if name != "type"})


def _type_name(cls: type) -> str:
    """Our classes by their name, everybody else's by `module:name`."""
    return cls.__name__ if cls.__module__.partition(".")[0] == _OWN_PACKAGE else f"{cls.__module__}:{cls.__qualname__}"


def find(name: str) -> type:
    """The class of that name: one of ours, or one already imported."""
    if ":" in name:
        module, _, qualname = name.partition(":")
        cls: Any = getattr(sys.modules.get(module), qualname, None)
        if _is_configurable(cls):
            return cls
        raise ValueError(f"{name} is not an imported configurable class: import {module} first.")
    for cls in _classes_named(name):
        if _is_configurable(cls) and _type_name(cls) == name:
            return cls
    raise ValueError(f"There is no configurable class {name!r}.")


def _classes_named(name: str) -> Iterator[Any]:
    """Classes that may have this name: those already imported, then those of every method, then a public one."""
    yield from _subclasses(eqx.Module)
    importlib.import_module(f"{_OWN_PACKAGE}.registry")
    yield from _subclasses(eqx.Module)
    yield getattr(sys.modules[_OWN_PACKAGE], name, None)


def _is_configurable(cls: Any) -> bool:
    """Whether objects of this class are written field by field."""
    return isinstance(cls, type) and issubclass(cls, eqx.Module)


def _subclasses(cls: type) -> Iterator[type]:
    """Every class below `cls`."""
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def change(solver: Any, **values: float) -> Any:
    """`solver` with the hyperparameters in `values` replaced by field name, wherever they stand inside it.

    A schedule's lengths in steps are among them. Keeps every leaf's type, so nothing recompiles. A name that fits no
    field, or several, is refused.
    """
    change_one: Callable = jax.tree_util.tree_map_with_path
    for name, value in values.items():
        leaves = jax.tree_util.tree_leaves_with_path(solver, is_leaf=_is_duration)
        paths = [path for path, _ in leaves if path and getattr(path[-1], "name", None) == name]
        if len(paths) != 1:
            raise ValueError(
                f"{name!r} names {len(paths)} numbers in {solver!r}: {[jax.tree_util.keystr(p) for p in paths]}."
            )
        target = paths[0]
        one = lambda path, leaf, t=target, v=value: _like(leaf, v) if path == t else leaf  # noqa: E731
        solver = change_one(one, solver, is_leaf=_is_duration)
    return solver


def _is_duration(node: Any) -> bool:
    """Whether a node is a number of steps, one thing with the name of its field."""
    return isinstance(node, Duration)


def _like(leaf: Any, value: Any) -> Any:
    """`value` with the type of `leaf`."""
    if isinstance(leaf, Duration):
        return Duration(_like(leaf.steps, value))
    return float(value) if isinstance(leaf, float) else np.asarray(value, leaf.dtype)
