"""A table of which rule updates each parameter and how much memory its state takes, from shapes alone."""

import dataclasses
import math
from types import FunctionType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_flatten_with_path

from thalweg.core.first_order import FirstOrder
from thalweg.core.problem import Problem
from thalweg.core.rule import OptaxRule, Rule, as_rule
from thalweg.core.solver import Solver
from thalweg.core.types import Params
from thalweg.core.variables import is_number_array, leaf_name, short
from thalweg.rules.freeze import Freeze
from thalweg.rules.matrix.muon import Muon
from thalweg.rules.partition import Partition, assign_groups
from thalweg.schedules import Schedule

_FROZEN_LABEL = "frozen"
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")


class ParameterRow(NamedTuple):
    """One leaf: its path, shape and dtype, the rule that updates it, its own bytes, and those of the rule's state."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    rule: str
    bytes: int
    state_bytes: int


class Description(NamedTuple):
    """What `tw.describe` returns; printing it shows a table.

    - `rows`: a `ParameterRow` for each leaf, in the order of the tree.
    - `shared`: bytes of state that belong to no single leaf, such as counts.
    """

    rows: tuple[ParameterRow, ...]
    shared: int

    @property
    def count(self) -> int:
        """How many numbers are optimized; frozen leaves do not count."""
        return sum(math.prod(row.shape) for row in self.rows if row.rule != _FROZEN_LABEL)

    @property
    def bytes(self) -> int:
        """The memory of all parameters in bytes."""
        return sum(row.bytes for row in self.rows)

    @property
    def state_bytes(self) -> int:
        """The memory of the method's state in bytes."""
        return self.shared + sum(row.state_bytes for row in self.rows)

    def __str__(self) -> str:
        head = ("parameter", "shape", "dtype", "size", "state", "rule")
        body = [
            (
                row.name,
                " × ".join(map(str, row.shape)),
                row.dtype,
                _format_bytes(row.bytes),
                _format_bytes(row.state_bytes),
                row.rule,
            )
            for row in self.rows
        ]
        if self.shared:
            body.append(("(shared)", "", "", "", _format_bytes(self.shared), ""))
        total = ("in total", f"{self.count:,}", "", _format_bytes(self.bytes), _format_bytes(self.state_bytes), "")
        return _align_columns([head, *body, total])


def describe(method: Any, params: Any) -> Description:
    """Tells which rule updates each leaf of `params`, and how much memory the method's state takes.

    - `method`: a rule, an Optax transformation, or a solver that needs nothing but a gradient.
    - `params`: the tree to optimize, or its shapes (`jax.eval_shape`), so that it need not fit into memory.

    The returned `Description` prints as a table, and its rows hold the numbers. State is attributed to a parameter
    where its path in the state ends with the parameter's path; the rest counts as shared.
    """
    method = as_rule(method)
    if not isinstance(method, (Rule, Solver)):
        raise TypeError(f"describe({method!r}): give a rule such as tw.Adam(), an Optax transformation, or a solver.")
    x = jax.tree.map(lambda leaf: _shape_of(leaf) if _is_variable(leaf) else None, params)
    paths = {path: _rule_chain(method, path, x) for path, _ in tree_flatten_with_path(x)[0]}
    owned, shared = _state_bytes_by_leaf(_state_of(method, x), list(paths))
    rows = [
        ParameterRow(
            leaf_name(path),
            leaf.shape,
            str(leaf.dtype),
            paths.get(path, _FROZEN_LABEL),
            _nbytes(leaf),
            owned.get(path, 0),
        )
        for path, leaf in tree_flatten_with_path(params)[0]
        if _is_shaped(leaf)
    ]
    return Description(tuple(rows), shared)


def _is_shaped(leaf: Any) -> bool:
    """Whether a leaf is an array of numbers, or the shape of one."""
    return is_number_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _is_variable(leaf: Any) -> bool:
    """Whether a leaf is optimized: a floating-point array."""
    return _is_shaped(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    """Returns the shape and dtype of a leaf."""
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def _state_of(method: Rule | Solver, x: Params) -> Any:
    """Returns the shapes of a method's initial state, without those of the iterate."""
    if isinstance(method, Rule):
        return jax.eval_shape(method.init, x)
    problem = Problem(lambda x: sum(leaf.sum().astype(jnp.float32) for leaf in jax.tree.leaves(x)))

    def init(x):
        missing = ", ".join(sorted(oracle.value for oracle in method.needs - problem.offers(x)))
        if missing:
            raise TypeError(
                f"describe({type(method).__name__}): this method needs {missing}; give a rule, or a method that needs "
                "only a gradient."
            )
        return method.init(problem, x)

    state = jax.eval_shape(init, x)
    return state._replace(x=None) if "x" in getattr(state, "_fields", ()) else state


def _state_bytes_by_leaf(state: Any, paths: list[tuple]) -> tuple[dict[tuple, int], int]:
    """Returns the bytes of state for each parameter's path, and the bytes that belong to none."""
    owned, shared = dict.fromkeys(paths, 0), 0
    for place, leaf in tree_flatten_with_path(state)[0]:
        ends = [path for path in paths if place[len(place) - len(path) :] == path and (path or leaf.shape)]
        if ends:
            owned[max(ends, key=len)] += _nbytes(leaf)
        else:
            shared += _nbytes(leaf)
    return owned, shared


def _rule_chain(method: Any, path: tuple, x: Params) -> str:
    """Returns the rules that a leaf's gradient passes, from the outermost one to the one that updates it."""
    if isinstance(method, Freeze):
        return _FROZEN_LABEL
    if isinstance(method, Partition):
        group = assign_groups(method.patterns, x)[leaf_name(path)]
        return _rule_chain(method.rules[group], path, x)
    if isinstance(method, Muon):
        leaf = next(leaf for place, leaf in tree_flatten_with_path(method.choice(x))[0] if place == path)
        return _method_label(method) if leaf else _rule_chain(method.others, path, x)
    inner = [value for value in _field_values(method).values() if isinstance(value, (Rule, Solver))]
    if not inner:
        return _method_label(method)
    rest = _rule_chain(inner[0], path, x)
    return rest if isinstance(method, FirstOrder) or rest == _FROZEN_LABEL else f"{_method_label(method)} > {rest}"


def _method_label(method: Any) -> str:
    """Returns a method's name with its learning rate and all settings that differ from their defaults."""
    if isinstance(method, OptaxRule):
        return f"optax.{method.transformation.update.__qualname__.split('.')[0]}"
    default = {field.name: field.default for field in dataclasses.fields(method)}
    shown = {
        name: value
        for name, value in _field_values(method).items()
        if not isinstance(value, (Rule, Solver)) and (name == "learning_rate" or not _has_default(value, default[name]))
    }
    inside = ", ".join(f"{name}={_field_text(value)}" for name, value in shown.items())
    return type(method).__name__ + (f"({inside})" if inside else "")


def _field_values(method: Any) -> dict[str, Any]:
    """Returns the fields of a method by name."""
    return {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}


def _has_default(value: Any, default: Any) -> bool:
    """Whether a field has its default value; an array never counts as the default."""
    return type(value) is type(default) and not isinstance(value, (jax.Array, np.ndarray)) and value == default


def _field_text(value: Any) -> str:
    """Returns a short text for the value of a field."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Schedule):
        return type(value).__name__
    return short(value.__name__ if isinstance(value, FunctionType) else value).strip("'")


def _nbytes(leaf: Any) -> int:
    """Returns the memory of an array in bytes."""
    return leaf.size * leaf.dtype.itemsize


def _format_bytes(amount: float) -> str:
    """Returns a number of bytes with three digits and a decimal unit, such as 1.26 MB."""
    power = 0
    while amount >= 999.5 and power < len(_BYTE_UNITS) - 1:
        amount, power = amount / 1000, power + 1
    return f"{amount:.3g} {_BYTE_UNITS[power]}"


def _align_columns(lines: list[tuple[str, ...]]) -> str:
    """Returns rows of cells as lines, with all cells of a column equally wide."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
