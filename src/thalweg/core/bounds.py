"""Box constraints."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.fields import is_tracer
from thalweg.core.tree import max_abs, ravel
from thalweg.core.types import Params, Scalar
from thalweg.core.variables import is_sharded, leaf_name


def _as_limits(limit: Any) -> Any:
    """Python numbers as floats, everything else unchanged."""
    return jax.tree.map(lambda v: float(v) if isinstance(v, (int, float)) else v, limit)


class Bounds(eqx.Module):
    """`lower <= x <= upper`, entry by entry.

    - `lower`, `upper`: a number for all entries, or a tree like `x` whose leaves broadcast against those of `x`.

    Use `-inf` and `inf` where a side is open; equal limits fix an entry.
    """

    lower: Any = eqx.field(default=-np.inf, converter=_as_limits)
    upper: Any = eqx.field(default=np.inf, converter=_as_limits)

    def __check_init__(self):
        if isinstance(self.lower, (list, tuple)) and all(
            isinstance(p, (list, tuple)) and len(p) == 2 for p in self.lower
        ):
            raise TypeError(
                f"Bounds(lower={self.lower!r}): a list of (low, high) pairs is SciPy's older form: write "
                "tw.Bounds(lower, upper) with one array a side."
            )
        pairs = _paired(tree_leaves_with_path(self.lower), tree_leaves_with_path(self.upper))
        if any(is_tracer(leaf) for leaf in jax.tree.leaves((self.lower, self.upper))):
            return
        for path, low, high in pairs:
            if np.isnan(low).any() or np.isnan(high).any():
                raise ValueError(f"Bounds: {leaf_name(path)} holds NaN: use -inf and inf for an open side.")
            if np.any(np.asarray(low) > np.asarray(high)):
                raise ValueError(
                    f"Bounds: lower={low} > upper={high} at {leaf_name(path)}: no point lies between; swap the two."
                )

    def check(self, x: Params) -> None:
        """Refuses limits that do not fit the tree `x`."""
        for limit in (self.lower, self.upper):
            for (path, leaf), part in zip(tree_leaves_with_path(x), jax.tree.leaves(match(limit, x)), strict=True):
                if np.broadcast_shapes(np.shape(leaf), np.shape(part)) != np.shape(leaf):
                    raise ValueError(
                        f"Bounds: a limit of shape {np.shape(part)} does not fit {leaf_name(path)} of shape "
                        f"{np.shape(leaf)}."
                    )

    def start(self, x: Params) -> Params:
        """`x` where it lies within, else the nearest point that does.

        By NumPy, so that nothing is compiled for it, but for arrays on several devices, which stay there.
        """
        if any(map(is_sharded, jax.tree.leaves(x))):
            moved = self.project(x)
            same = jax.tree.map(lambda p, q: bool(jnp.array_equal(p, q)), x, moved)
            return x if all(jax.tree.leaves(same)) else moved
        lower, upper = (match(limit, x) for limit in (self.lower, self.upper))
        moved = jax.tree.map(lambda p, lo, hi: np.clip(np.asarray(p), lo, hi).astype(p.dtype), x, lower, upper)
        same = jax.tree.map(lambda p, q: bool(np.array_equal(np.asarray(p), q)), x, moved)
        return x if all(jax.tree.leaves(same)) else moved

    def project(self, x: Params) -> Params:
        """The nearest point within the bounds."""
        return self.each(x, lambda p, lo, hi: jnp.clip(p, lo, hi))

    def sides(self, x: Params) -> tuple[jax.Array, jax.Array]:
        """The lower and the upper limits of all entries, in the form of `ravel(x)`."""
        lower, upper = (jax.tree.map(_full, x, match(limit, x)) for limit in (self.lower, self.upper))
        return ravel(lower), ravel(upper)

    def reflect(self, x: Params) -> Params:
        """The mirror image within the bounds of a point outside: a symmetric random step stays one."""

        def mirrored(p, lo, hi):
            p = jnp.where(p < lo, 2 * lo - p, p)
            return jnp.clip(jnp.where(p > hi, 2 * hi - p, p), lo, hi)

        return self.each(x, mirrored)

    def violation(self, x: Params) -> Scalar:
        """The largest distance of an entry from its interval."""
        return max_abs(jax.tree.map(lambda p, q: _continuous(p) - _continuous(q), x, self.project(x)))

    def each(self, x: Params, change: Callable) -> Params:
        """`change(leaf, lower, upper)` of every leaf; integers go through floats, so that a side may be open."""
        lower, upper = (match(limit, x) for limit in (self.lower, self.upper))

        def one(p, lo, hi):
            wide = _continuous(p)
            low, high = jnp.asarray(lo, wide.dtype), jnp.asarray(hi, wide.dtype)
            low, high = (low, high) if wide is p else (jnp.ceil(low), jnp.floor(high))
            return change(wide, low, high).astype(p.dtype)

        return jax.tree.map(one, x, lower, upper)


def _continuous(leaf: jax.Array) -> jax.Array:
    """A floating-point array as it is; integers and booleans as floats."""
    return leaf if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf.astype(jnp.result_type(float))


def _full(leaf: jax.Array, limit: Any) -> jax.Array:
    """A limit in the shape and dtype of a leaf."""
    return jnp.broadcast_to(jnp.asarray(limit, leaf.dtype), leaf.shape)


def _paired(lower: list, upper: list) -> list[tuple]:
    """`(path, low, high)` of every leaf; one number serves all leaves of the other side."""
    count = max(len(lower), len(upper))
    named = lower if len(lower) == count else upper
    lower, upper = (side * count if len(side) == 1 else side for side in (lower, upper))
    return [(path, low, high) for (path, _), (_, low), (_, high) in zip(named, lower, upper, strict=False)]


def match(limit: Any, x: Params) -> Params:
    """`limit` as a tree like `x`."""
    if jax.tree_util.all_leaves([limit]) and jax.tree.structure(limit) != jax.tree.structure(x):
        return jax.tree.map(lambda _: limit, x)
    if jax.tree.structure(limit) != jax.tree.structure(x):
        raise ValueError(
            f"Bounds: the limits have the structure {jax.tree.structure(limit)} and x has "
            f"{jax.tree.structure(x)}: give one number, or a tree like x."
        )
    return limit
