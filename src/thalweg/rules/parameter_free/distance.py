"""The estimate of the distance from the start to the minimum that the parameter-free rules share."""

import jax
import jax.numpy as jnp

from thalweg.core.tree import common_dtype
from thalweg.core.types import Params, Scalar, ScalarLike, real


def raise_estimate(distance: Scalar, above: ScalarLike, below: ScalarLike) -> Scalar:
    """Returns the larger of `distance` and the bound `above / below`; a zero gradient gives no bound."""
    known = below != 0
    return real(jnp.where(known, jnp.maximum(distance, above / jnp.where(known, below, 1)), distance))


def l1_norm(tree: Params) -> Scalar:
    """Returns the sum of the absolute values of all entries."""
    dtype = common_dtype(tree)
    sums = (jnp.sum(jnp.abs(leaf.astype(dtype))) for leaf in jax.tree.leaves(tree))
    return sum(sums, jnp.zeros((), dtype))
