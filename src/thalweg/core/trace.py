"""One packed row of numbers a step: written inside the loop, unpacked by name outside it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.types import Evals, Info, real
from thalweg.core.variables import leaf_name


class Trace(NamedTuple):
    """`Info` with a leading step axis: row `t` describes `x_t`."""

    value: Any
    optimality: Any
    infeasibility: Any
    step_size: Any
    evals: Evals
    status: Any
    aux: Any = None
    extra: Any = None


def pack(info: Info) -> jax.Array:
    """Every number of `info` in one vector (a buffer a field costs two to three times as much in the loop)."""
    return jnp.stack([real(leaf) for leaf in jax.tree.leaves(info)])


def check_scalars(info: Info) -> None:
    """Auxiliary output goes to the trace, so it must be numbers."""
    for path, leaf in tree_leaves_with_path(info.aux):
        if leaf.shape != ():
            raise TypeError(
                f"aux[{leaf_name(path)}] has shape {leaf.shape}: with has_aux=True the loss returns (value, dict of "
                "scalars); take its mean."
            )


def unpack(rows: Any, structure: Any) -> Trace:
    """The packed rows `(..., steps, columns)` as a `Trace`; `structure` is the tree structure of an `Info`."""
    xp = np if isinstance(rows, np.ndarray) else jnp
    info = jax.tree.unflatten(structure, [rows[..., i] for i in range(rows.shape[-1])])
    whole = Evals(*(xp.rint(n).astype(xp.int32) for n in info.evals))
    return Trace(*info._replace(evals=whole, status=info.status.astype(xp.int32)))
