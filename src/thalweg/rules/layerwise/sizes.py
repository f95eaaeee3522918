"""How large an array is as a whole; arrays without entries are of size 0."""

import math

import jax
import jax.numpy as jnp


def mean_over(array: jax.Array, axes: tuple[int, ...] | None = None) -> jax.Array:
    """The mean over some axes, or all of them, which stay as axes of length 1."""
    entries = math.prod(array.shape if axes is None else (array.shape[axis] for axis in axes))
    return jnp.sum(array, axis=axes, keepdims=True) / max(entries, 1)


def root_mean_square(array: jax.Array) -> jax.Array:
    """The size of a typical entry."""
    return jnp.sqrt(mean_over(array**2))


def euclidean_norm(array: jax.Array) -> jax.Array:
    """The Euclidean norm."""
    return jnp.sqrt(jnp.sum(array**2))


def trust_ratio(above: jax.Array, below: jax.Array) -> jax.Array:
    """The trust ratio: `above / below` for two sizes, and 1 where one of them is 0."""
    known = (above > 0) & (below > 0)
    return jnp.where(known, above / jnp.where(known, below, 1), 1)
