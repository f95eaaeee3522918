"""Vector algebra on pytrees. Sums and norms are taken in at least float32."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.types import Params, Scalar


def wide(dtype) -> Any:
    """The dtype in which arithmetic on `dtype` is done: itself, but never narrower than float32."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def common_dtype(*trees) -> Any:
    """The widest dtype among the leaves, at least float32."""
    dtypes = [wide(leaf.dtype) for leaf in jax.tree.leaves(trees)]
    return max(dtypes, key=lambda d: jnp.finfo(d).bits, default=jnp.dtype(jnp.float32))


def dot(a: Params, b: Params) -> Scalar:
    """Inner product over all leaves."""
    dtype = common_dtype(a, b)
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum((jnp.vdot(x.astype(dtype), y.astype(dtype)) for x, y in pairs), jnp.zeros((), dtype))


def max_abs(tree: Params) -> Scalar:
    """Largest absolute entry; 0 for a tree without entries, NaN if any entry is NaN."""
    dtype = common_dtype(tree)
    peaks = [jnp.max(jnp.abs(leaf), initial=0).astype(dtype) for leaf in jax.tree.leaves(tree)]
    return functools.reduce(jnp.maximum, peaks, jnp.zeros((), dtype))


def norm(tree: Params) -> Scalar:
    """Euclidean norm over all leaves, without overflow or underflow of the squares.

    One pass over memory; three more only where the squares did overflow or underflow.
    """
    dtype = common_dtype(tree)
    # Not `dot`: a sum of squares is fused with what comes before it, a product of vectors is a call of its own.
    squares = sum((jnp.sum(jnp.square(leaf.astype(dtype))) for leaf in jax.tree.leaves(tree)), jnp.zeros((), dtype))
    limits = jnp.finfo(squares.dtype)
    safe = (squares > limits.tiny / limits.eps) & jnp.isfinite(squares)
    return jax.lax.cond(safe, lambda: jnp.sqrt(squares), lambda: scaled_norm(tree))


def scaled_norm(tree: Params) -> Scalar:
    """The norm with every entry divided by the largest first."""
    peak = max_abs(tree)
    scale = jnp.where((peak > 0) & jnp.isfinite(peak), peak, jnp.ones_like(peak))
    unit = jax.tree.map(lambda leaf: leaf.astype(peak.dtype) / scale, tree)
    return scale * jnp.sqrt(dot(unit, unit))


def combine(fn: Callable, *trees: Params) -> Params:
    """Map `fn` over the leaves in wide arithmetic and give the result the first tree's dtypes."""

    def one(*leaves):
        dtype = wide(leaves[0].dtype)
        return fn(*(leaf.astype(dtype) for leaf in leaves)).astype(leaves[0].dtype)

    return jax.tree.map(one, *trees)


def add(x: Params, update: Params) -> Params:
    """`x + update`, in the dtypes of `x`."""
    return combine(jnp.add, x, update)


def subtract(x: Params, y: Params) -> Params:
    """`x - y`, in the dtypes of `x`."""
    return combine(jnp.subtract, x, y)


def axpy(scale, direction: Params, x: Params) -> Params:
    """`x + scale * direction`, in the dtypes of `x`."""
    return combine(lambda p, d: p + jnp.asarray(scale).astype(p.dtype) * d, x, direction)


def scaled(scale, tree: Params) -> Params:
    """`scale * tree`, in the tree's dtypes."""
    return combine(lambda leaf: jnp.asarray(scale).astype(leaf.dtype) * leaf, tree)


def zeros_like(tree: Params) -> Params:
    """A tree of zeros."""
    return jax.tree.map(jnp.zeros_like, tree)


def select(condition, a: Params, b: Params) -> Params:
    """`a` where the scalar condition holds, else `b`."""
    return jax.tree.map(lambda p, q: jnp.where(condition, p, q), a, b)


def all_finite(tree: Params) -> Scalar:
    """Whether every floating-point entry is finite.

    One vector of flags, because each reduction of its own costs a compiled kernel.
    """
    leaves = [leaf for leaf in jax.tree.leaves(tree) if not is_key(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.concatenate([jnp.isfinite(leaf).ravel() for leaf in leaves] or [jnp.ones(1, bool)]).all()


def is_key(leaf: Any) -> bool:
    """Whether the leaf holds random keys, on which there is no arithmetic."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def ravel(tree: Params) -> jax.Array:
    """All entries as one vector in the tree's common dtype."""
    dtype = common_dtype(tree)
    parts = [leaf.astype(dtype).reshape(-1) for leaf in jax.tree.leaves(tree)]
    return jnp.concatenate(parts) if len(parts) != 1 else parts[0]


def unravel(vector: jax.Array, like: Params) -> Params:
    """The inverse of `ravel`: shapes and dtypes are those of `like`."""
    leaves, treedef = jax.tree.flatten(like)
    ends = [0]
    for leaf in leaves:
        ends.append(ends[-1] + leaf.size)
    parts = [
        vector[start:end].reshape(leaf.shape).astype(leaf.dtype)
        for leaf, start, end in zip(leaves, ends[:-1], ends[1:], strict=True)
    ]
    return jax.tree.unflatten(treedef, parts)


def gather(data: Any, rows: jax.Array) -> Any:
    """The examples with these numbers, all of them within the data: nothing is checked."""
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds", wrap_negative_indices=False), data)
