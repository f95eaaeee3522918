"""What a constraint function returns, as one vector; and what its entries are called."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_leaves_with_path

from thalweg.core.objective import name_of, type_and_shape
from thalweg.core.tree import ravel
from thalweg.core.types import Params
from thalweg.core.variables import entries, is_array, leaf_name


def stacked(part: str, fun: Callable | None, tree: Params) -> jax.Array:
    """All entries of `fun(tree)` as one vector, empty where there is no function; says what it returned instead."""
    if fun is None:
        return jnp.zeros(0)
    out = fun(tree)
    for leaf in jax.tree.leaves(out, is_leaf=lambda leaf: leaf is None):
        _check_constraint_leaf(part, fun, leaf)
    return ravel(jax.tree.map(jnp.asarray, out))


def _check_constraint_leaf(part: str, fun: Callable, leaf: Any) -> None:
    """A constraint is made of real floating-point arrays."""
    cures = {
        "b": "return the difference of its sides, not the comparison",
        "c": "return the real and the imaginary part",
    }
    if isinstance(leaf, float):
        return
    if not is_array(leaf) or not jnp.issubdtype(leaf.dtype, jnp.floating):
        kind = "b" if isinstance(leaf, bool) else leaf.dtype.kind if is_array(leaf) else ""
        raise TypeError(
            f"Problem({part}={name_of(fun)}) must return floating-point arrays, and it returned "
            f"{type_and_shape(leaf)}: {cures.get(kind, 'return h(x) for h(x) = 0, or c(x) for c(x) <= 0')}."
        )


def names(part: str, fun: Callable | None, tree: Params) -> list[str]:
    """A name for every entry of `stacked`: `equality[2]`, `inequality[a][0, 1]`, or `equality` for a single number."""
    if fun is None:
        return []
    found = []
    for path, leaf in tree_leaves_with_path(jax.eval_shape(fun, tree)):
        found += entries(part + (f"[{leaf_name(path)}]" if path else ""), leaf.shape)
    return found
