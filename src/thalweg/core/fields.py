"""Converters and range checks for hyperparameters: one sentence naming the field, the value and the cure."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer


def is_tracer(value: Any) -> bool:
    """Whether `value` is abstract: seen under jit, vmap or grad."""
    return isinstance(value, Tracer)


def number(value: Any) -> Any:
    """A real hyperparameter: int, NumPy scalars and 0-d arrays of the host become Python floats.

    Otherwise `SGD(1)` and `SGD(1.0)` would compile twice. JAX arrays and tracers stay as they are (a sweep is a
    `vmap` over them), and so do schedules and other callables.
    """
    if isinstance(value, (bool, np.bool_)):
        return value
    if isinstance(value, (int, np.integer, np.floating)):
        return float(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return float(value)
    if isinstance(value, jax.Array) and not is_tracer(value) and value.ndim == 0:
        return float(value)
    return value


def real_field(default: Any = ..., **kwargs) -> Any:
    """A dataclass field for one traced real number."""
    if default is not ...:
        kwargs["default"] = default
    return eqx.field(converter=number, **kwargs)


def static_field(default: Any = ..., **kwargs) -> Any:
    """A dataclass field that is part of the program: an int, bool, string or callable."""
    if default is not ...:
        kwargs["default"] = default
    return eqx.field(static=True, **kwargs)


def replace(module: Any, **changes: Any) -> Any:
    """A copy of a module with some fields replaced, unchecked and unconverted: its parts were checked before."""
    new = object.__new__(type(module))
    for field in dataclasses.fields(module):
        value = changes[field.name] if field.name in changes else getattr(module, field.name)
        object.__setattr__(new, field.name, value)
    return new


def fail(owner: Any, name: str, value: Any, demand: str) -> None:
    """Raises the one sentence about a field. The field of `LBFGSDirection` is the user's argument of `LBFGS`."""
    method = type(owner).__name__.removesuffix("Direction")
    raise ValueError(f"{method}({name}={value!r}): {name} must be {demand}.")


def check_real(owner: Any, name: str, low: float, high: float, demand: str, *, open_low=False, open_high=False) -> None:
    """Refuses a field outside the interval. Arrays are checked entry by entry; tracers and schedules are not."""
    value = getattr(owner, name)
    if is_tracer(value) or callable(value):
        return
    if isinstance(value, (bool, str)) or not isinstance(value, (float, int, np.ndarray, jax.Array)):
        fail(owner, name, value, demand)
    entries = np.asarray(value)
    above = entries > low if open_low else entries >= low
    below = entries < high if open_high else entries <= high
    if entries.dtype.kind not in "fiuV" or not np.all(above & below):
        fail(owner, name, value, demand)


def check_positive(owner: Any, *names: str) -> None:
    """Refuses a named field that is not in (0, inf)."""
    for name in names:
        check_real(owner, name, 0.0, np.inf, "a finite number > 0", open_low=True, open_high=True)


def check_nonnegative(owner: Any, *names: str) -> None:
    """Refuses a named field that is not in [0, inf)."""
    for name in names:
        check_real(owner, name, 0.0, np.inf, "a finite number >= 0", open_high=True)


def check_fraction(owner: Any, *names: str) -> None:
    """Refuses a named field that is not in [0, 1)."""
    for name in names:
        check_real(owner, name, 0.0, 1.0, "in [0, 1)", open_high=True)


def check_count(owner: Any, *names: str, low: int = 1) -> None:
    """Refuses a named field that is no whole number >= `low`."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            fail(owner, name, value, f"a whole number >= {low}")


def check_flag(owner: Any, *names: str) -> None:
    """Refuses a named field that is neither True nor False."""
    for name in names:
        if not isinstance(getattr(owner, name), bool):
            fail(owner, name, getattr(owner, name), "True or False")


def check_choice(owner: Any, name: str, choices: Iterable[str]) -> None:
    """Refuses a field that is none of these words."""
    if getattr(owner, name) not in choices:
        fail(owner, name, getattr(owner, name), f"one of {', '.join(repr(choice) for choice in choices)}")
