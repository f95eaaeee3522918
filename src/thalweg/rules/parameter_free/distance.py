"""What the rules share that estimate how far the minimum is."""

import jax
import jax.numpy as jnp

from thalweg.core.tree import common_dtype
from thalweg.core.types import Params, Scalar, ScalarLike, real


def raise_estimate(distance: Scalar, above: ScalarLike, below: ScalarLike) -> Scalar:
    """The largest lower bound `above / below` of the distance so far; nothing is learned from a zero gradient."""
    known = below != 0
    return real(jnp.where(known, jnp.maximum(distance, above / jnp.where(known, below, 1)), distance))


def l1_norm(tree: Params) -> Scalar:
    """The sum of the absolute values of all entries."""
    dtype = common_dtype(tree)
    sums = (jnp.sum(jnp.abs(leaf.astype(dtype))) for leaf in jax.tree.leaves(tree))
    return sum(sums, jnp.zeros((), dtype))
