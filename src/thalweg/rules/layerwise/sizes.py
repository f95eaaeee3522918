"""Means, norms and the trust ratio of single arrays; arrays without entries have the size 0."""

import math

import jax
import jax.numpy as jnp


def mean_over(array: jax.Array, axes: tuple[int, ...] | None = None) -> jax.Array:
    """Returns the mean over some axes, or over all of them; they stay as axes of length 1."""
    entries = math.prod(array.shape if axes is None else (array.shape[axis] for axis in axes))
    return jnp.sum(array, axis=axes, keepdims=True) / max(entries, 1)


def root_mean_square(array: jax.Array) -> jax.Array:
    """Returns the root mean square of all entries."""
    return jnp.sqrt(mean_over(array**2))


def euclidean_norm(array: jax.Array) -> jax.Array:
    """Returns the Euclidean norm of all entries."""
    return jnp.sqrt(jnp.sum(array**2))


def trust_ratio(above: jax.Array, below: jax.Array) -> jax.Array:
    """Returns the trust ratio `above / below` of two norms, and 1 where one of them is 0."""
    known = (above > 0) & (below > 0)
    return jnp.where(known, above / jnp.where(known, below, 1), 1)
