"""Vector algebra on pytrees. Sums and norms are taken in at least float32."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import is_tracer
from thalweg.core.types import Params, Scalar, ScalarLike, real


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

    One pass over memory; another only where the squares did overflow or underflow.
    """
    squares = _scaled_sum_of_squares(tree, 1.0)
    limits = jnp.finfo(squares.dtype)
    safe = (squares > limits.tiny / limits.eps) & jnp.isfinite(squares)
    # A power of two, so that scaling rounds nothing, far enough from 1 that no square of any entry leaves the range.
    far = 2.0 ** (limits.maxexp * 5 // 8)
    scale = jnp.where(squares < 1, far, 1 / far).astype(squares.dtype)
    return jax.lax.cond(safe, lambda: jnp.sqrt(squares), lambda: jnp.sqrt(_scaled_sum_of_squares(tree, scale)) / scale)


def displacement(x: Params, after: Params) -> Scalar:
    r"""How far a fixed-point map moves `x`: the largest entry of a leaf's difference over `max(1, the leaf's largest)`.

    Relative where a leaf is large, because rounding is: the covariances of data of the size 1e6 are of the size 1e12.
    """
    moved = jax.tree.map(lambda old, new: max_abs(subtract(new, old)) / jnp.maximum(max_abs(old), 1), x, after)
    return functools.reduce(jnp.maximum, [real(one) for one in jax.tree.leaves(moved)], real(0.0))


def _scaled_sum_of_squares(tree: Params, scale: ScalarLike) -> Scalar:
    """The sum of the squares of `scale` times the entries.

    Not `dot`: a sum of squares is fused with what comes before it, a product of vectors is a call of its own.
    """
    dtype = common_dtype(tree)
    scale = jnp.asarray(scale, dtype)
    return sum(
        (jnp.sum(jnp.square(scale * leaf.astype(dtype))) for leaf in jax.tree.leaves(tree)), jnp.zeros((), dtype)
    )


def combine(fn: Callable, trees: tuple[Params, ...], *scalars: ScalarLike) -> Params:
    """Map `fn(*leaves, *scalars)` over the leaves in wide arithmetic; the result has the first tree's dtypes."""

    def one(*values):
        dtype = wide(values[0].dtype)
        return fn(*(value.astype(dtype) for value in values)).astype(values[0].dtype)

    mapped, scalars = traced_once(one, trees), tuple(jnp.asarray(scalar) for scalar in scalars)
    return jax.tree.map(lambda *leaves: mapped(*leaves, *scalars), *trees)


def traced_once(fn: Callable, trees: Any) -> Callable:
    """`fn`, which is to be mapped over leaves, traced once for all leaves of one shape and dtype.

    It becomes a part of the program around it; outside of one it stays as it is, or every call would compile.
    """
    return jax.jit(fn, inline=True) if any(map(is_tracer, jax.tree.leaves(trees))) else fn


def add(x: Params, update: Params) -> Params:
    """`x + update`, in the dtypes of `x`."""
    return combine(jnp.add, (x, update))


def subtract(x: Params, y: Params) -> Params:
    """`x - y`, in the dtypes of `x`."""
    return combine(jnp.subtract, (x, y))


def axpy(scale: ScalarLike, direction: Params, x: Params) -> Params:
    """`x + scale * direction`, in the dtypes of `x`."""
    return combine(lambda p, d, s: p + s * d, (x, direction), scale)


def scaled(scale: ScalarLike, tree: Params) -> Params:
    """`scale * tree`, in the tree's dtypes."""
    return combine(lambda leaf, s: s * leaf, (tree,), scale)


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
