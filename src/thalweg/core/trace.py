"""One packed row of numbers a step: written inside the loop, unpacked by name outside it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.types import Evals, Info, is_number, real
from thalweg.core.variables import leaf_name


class Trace(NamedTuple):
    """`Info` with a leading step axis: row `t` describes `x_t`.

    - `value`, `optimality`, `infeasibility`, `step_size`, `evals`, `status`, `aux`, `extra`: as in `Info`.
    """

    value: Any
    optimality: Any
    infeasibility: Any
    step_size: Any
    evals: Evals
    status: Any
    aux: Any = None
    extra: Any = None


class Layout(NamedTuple):
    """How a packed row becomes an `Info` again: its structure, and the numbers that are not stored (None: stored)."""

    structure: Any
    constants: tuple[float | None, ...]


def pack(info: Info) -> tuple[jax.Array, Layout]:
    """The numbers of `info` that can change, in one vector, and how to unpack it.

    One vector, because a buffer a field costs two to three times as much in the loop; without the constants, because
    most methods report ten numbers of which four change.
    """
    leaves, structure = jax.tree.flatten(info)
    constants = tuple(float(leaf) if is_number(leaf) else None for leaf in leaves)
    return jnp.stack([real(leaf) for leaf in leaves if not is_number(leaf)]), Layout(structure, constants)


def check_scalars(info: Info) -> None:
    """Auxiliary output goes to the trace, so it must be numbers."""
    for path, leaf in tree_leaves_with_path(info.aux):
        if jnp.shape(leaf) != ():
            raise TypeError(
                f"aux[{leaf_name(path)}] has shape {jnp.shape(leaf)}: with has_aux=True the loss returns "
                "(value, dict of scalars); take its mean."
            )


def unpack(rows: Any, layout: Layout, reached: Any = True) -> Trace:
    """The packed rows `(..., steps, columns)` as a `Trace`; rows that were not `reached` are zero."""
    xp: Any = np if isinstance(rows, np.ndarray) else jnp
    stored = iter(range(rows.shape[-1]))
    blank = xp.zeros(rows.shape[:-1], rows.dtype)
    columns = [
        rows[..., next(stored)] if number is None else xp.where(reached, number, blank).astype(rows.dtype)
        for number in layout.constants
    ]
    info = jax.tree.unflatten(layout.structure, columns)
    evals = Evals(*(xp.rint(n).astype(xp.int32) for n in info.evals))
    return Trace(*info._replace(evals=evals, status=info.status.astype(xp.int32)))


def column(rows: np.ndarray, layout: Layout, name: str) -> np.ndarray | float:
    """One of the first columns of packed rows by name, or the number that it is at every step."""
    place = Info._fields.index(name)
    number = layout.constants[place]
    return rows[:, sum(constant is None for constant in layout.constants[:place])] if number is None else number


def no_rows() -> Trace:
    """The trace of a run that made no step."""
    column, counts = np.empty(0), np.empty(0, np.int32)
    return Trace(column, column, column, column, Evals(*[counts] * len(Evals._fields)), counts)


def tail(blocks: list[np.ndarray], count: int) -> np.ndarray:
    """The last `count` rows of a list of blocks, without touching the others."""
    taken, block = [], len(blocks)
    while count > 0:
        block -= 1
        taken.append(blocks[block][-count:])
        count -= len(taken[-1])
    return np.concatenate(taken[::-1]) if taken else blocks[-1][:0]
