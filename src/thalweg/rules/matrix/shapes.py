"""Leaves with several axes as matrices, products along one axis, and one call for all matrices of one shape."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FULL_PRECISION = jax.lax.Precision.HIGHEST
"""The precision of products that enter an eigenbasis: with TF32 or bfloat16 it is orthogonal to three digits only."""


def is_matrix(leaf: Any, stacked: int) -> bool:
    """Whether a leaf has at least two axes beyond the stacked ones, and at least one entry."""
    return leaf.ndim - stacked >= 2 and leaf.size > 0


def item_axes(leaf: Any, stacked: int) -> tuple[int, ...]:
    """Returns the axes of one item of a stack."""
    return tuple(range(min(stacked, leaf.ndim), leaf.ndim))


def as_batch(leaf: jax.Array, stacked: int) -> jax.Array:
    """Returns the leaf with all stacked axes merged into one, the first."""
    return leaf.reshape(-1, *leaf.shape[stacked:])


def map_rows(results: int, formula: Callable, *columns: Sequence[Any]) -> tuple[tuple[Any, ...], ...]:
    """Applies `formula` to every row of the columns, and returns its `results` many results as columns."""
    rows = [formula(*row) for row in zip(*columns, strict=True)]
    return tuple(tuple(row[i] for row in rows) for i in range(results))


def map_by_shape(formula: Callable, *columns: Sequence[jax.Array]) -> list[tuple[jax.Array, ...]]:
    """Applies `formula(*batches) -> (batch, ...)` to every row of arrays, once for all rows of equal shapes and dtypes.

    The first axis of every array is the batch; a tree of a hundred matrices of three shapes needs three calls.
    """
    rows = list(zip(*columns, strict=True))
    groups: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(tuple((array.shape[1:], array.dtype) for array in row), []).append(i)
    results: list[Any] = [None] * len(rows)
    for members in groups.values():
        batches = [jnp.concatenate(column) for column in zip(*(rows[i] for i in members), strict=True)]
        ends = np.cumsum([len(rows[i][0]) for i in members])[:-1]
        for i, *piece in zip(members, *(jnp.split(out, ends) for out in formula(*batches)), strict=True):
            results[i] = tuple(piece)
    return results


def gram_matrix(tensors: jax.Array, axis: int) -> jax.Array:
    """Returns the product of a tensor with itself over all axes but one: for a matrix `G G'` (axis 0) or `G' G` (1)."""
    unfolded = _mode_unfolding(tensors, axis)
    return jnp.matmul(unfolded, unfolded.mT, precision=FULL_PRECISION)


def mode_product(matrices: jax.Array, tensors: jax.Array, axis: int) -> jax.Array:
    """Returns every tensor multiplied along one of its axes by its matrix (the n-mode product)."""
    moved = jnp.moveaxis(tensors, axis + 1, 1)
    product = jnp.matmul(matrices, _mode_unfolding(tensors, axis), precision=FULL_PRECISION)
    return jnp.moveaxis(product.reshape(moved.shape), 1, axis + 1)


def _mode_unfolding(tensors: jax.Array, axis: int) -> jax.Array:
    """Returns every tensor as a matrix whose rows are the slices along one of its axes (the n-mode unfolding)."""
    return jnp.moveaxis(tensors, axis + 1, 1).reshape(len(tensors), tensors.shape[axis + 1], -1)
