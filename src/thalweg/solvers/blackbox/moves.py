"""Moves: how a random walk proposes its next point."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, real_field, static_field
from thalweg.core.tree import wide
from thalweg.core.types import Key, Params


class Move(eqx.Module):
    """A random neighbour of a point, as likely to propose the way back.

    Two functions, because random numbers are cheap in bulk: a method draws for all its proposals at once.
    """

    @abc.abstractmethod
    def draw(self, key: Key, x: Params) -> Any:
        """The random numbers of one proposal at a point with the shapes and dtypes of `x`."""

    @abc.abstractmethod
    def __call__(self, x: Params, drawn: Any) -> Params:
        """The neighbour of `x` that these numbers choose; same shapes and dtypes."""


class GaussianMove(Move):
    r"""Every entry of every floating-point array moves: \(x' = x + \sigma\,\xi\) with \(\xi \sim N(0, I)\).

    - `scale`: \(\sigma\), > 0.
    """

    scale: float = real_field()

    def __check_init__(self):
        check_positive(self, "scale")

    def draw(self, key: Key, x: Params) -> Params:
        """Normal numbers like `x`."""
        leaves, treedef = jax.tree.flatten(x)
        for leaf in leaves:
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                raise TypeError(
                    f"{self!r} moves floating-point arrays, and x0 has one of dtype {leaf.dtype}: tw.TwoOpt() moves "
                    "permutations, tw.BitFlip() bits."
                )
        keys = jax.random.split(key, max(len(leaves), 1))
        drawn = [jax.random.normal(k, leaf.shape, wide(leaf.dtype)) for k, leaf in zip(keys, leaves, strict=False)]
        return treedef.unflatten(drawn)

    def __call__(self, x: Params, drawn: Params) -> Params:
        """`x + scale * drawn`, in the dtypes of `x`."""
        return jax.tree.map(
            lambda p, n: (p.astype(n.dtype) + jnp.asarray(self.scale, n.dtype) * n).astype(p.dtype), x, drawn
        )


class TwoOpt(Move):
    """A random stretch of a tour, or of any one-dimensional array, is turned round: two edges are exchanged.

    **References** Croes 1958, doi:10.1287/opre.6.6.791.
    """

    def draw(self, key: Key, x: Params) -> jax.Array:
        """Two different places, uniform."""
        n = only_array(self, x, "one array with one axis", lambda leaf: leaf.ndim == 1 and leaf.size > 1).size
        first, second = jax.random.split(key)
        i = jax.random.randint(first, (), 0, n, jnp.int32)
        j = jax.random.randint(second, (), 0, n - 1, jnp.int32)
        j = j + (j >= i).astype(jnp.int32)
        return jnp.stack([jnp.minimum(i, j), jnp.maximum(i, j)])

    def __call__(self, x: Params, drawn: jax.Array) -> Params:
        """Places i to j in reverse order."""
        i, j = drawn[0], drawn[1]

        def turn(leaf):
            place = jnp.arange(leaf.size, dtype=jnp.int32)
            inside = (place >= i) & (place <= j)
            return leaf.at[jnp.where(inside, i + j - place, place)].get(mode="promise_in_bounds")

        return jax.tree.map(turn, x)


class BitFlip(Move):
    """`count` different entries of an array of bits change: 0 becomes 1, anything else 0.

    - `count`: a whole number >= 1, at most the array's size.
    """

    count: int = static_field(1)

    def __check_init__(self):
        check_count(self, "count")

    def draw(self, key: Key, x: Params) -> jax.Array:
        """The places, uniform, in order of size of a random number each."""
        leaf = only_array(self, x, f"one array of at least {self.count} entries", lambda leaf: leaf.size >= self.count)
        if self.count == 1:
            return jax.random.randint(key, (1,), 0, leaf.size, jnp.int32)
        return jax.lax.top_k(jax.random.uniform(key, (leaf.size,), jnp.float32), self.count)[1]

    def __call__(self, x: Params, drawn: jax.Array) -> Params:
        """The bits at these places changed."""

        def flip(leaf):
            place = jnp.arange(leaf.size, dtype=jnp.int32).reshape(leaf.shape)
            chosen = (place[..., None] == drawn).any(-1)
            return jnp.where(chosen, (leaf == 0).astype(leaf.dtype), leaf)

        return jax.tree.map(flip, x)


def only_array(move: Move, x: Params, demand: str, fits: Any) -> Any:
    """The one array of a tree; one sentence where it is not what the move moves."""
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or not fits(leaves[0]):
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in leaves)
        raise ValueError(f"{move!r} moves {demand}, and x0 has the shapes {shapes}.")
    return leaves[0]
