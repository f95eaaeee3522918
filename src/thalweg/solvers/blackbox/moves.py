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
    """A random neighbor of a point, as likely to propose the way back.

    Two functions, because random numbers are cheap in bulk: a method draws for all its proposals at once.
    """

    @abc.abstractmethod
    def draw(self, key: Key, x: Params, count: int) -> Any:
        """The random numbers of `count` proposals from points like `x`: arrays with a leading axis of that length."""

    @abc.abstractmethod
    def __call__(self, x: Params, drawn: Any) -> Params:
        """The neighbor of `x` that the numbers of one proposal choose; same shapes and dtypes."""


class GaussianMove(Move):
    r"""Every entry of every floating-point array moves: \(x' = x + \sigma\,\xi\) with \(\xi \sim N(0, I)\).

    Integers and booleans beside them stay as they are.

    - `scale`: \(\sigma\), > 0.
    """

    scale: float = real_field()

    def __check_init__(self):
        check_positive(self, "scale")

    def draw(self, key: Key, x: Params, count: int) -> list[jax.Array]:
        """Normal numbers for every floating-point array, single precision: as good for a walk, and faster."""
        moved = [leaf for leaf in jax.tree.leaves(x) if _is_continuous(leaf)]
        if not moved:
            raise TypeError(
                "GaussianMove moves floating-point arrays, and x0 has none: tw.moves.TwoOpt() moves permutations, "
                "tw.moves.BitFlip() bits."
            )
        keys = jax.random.split(key, len(moved))
        pairs = zip(keys, moved, strict=True)
        return [_normals(k, count, leaf.shape) for k, leaf in pairs]

    def __call__(self, x: Params, drawn: list[jax.Array]) -> Params:
        """`x + scale * drawn`, in the dtypes of `x`."""
        noise = iter(drawn)

        def one(leaf):
            if not _is_continuous(leaf):
                return leaf
            dtype = wide(leaf.dtype)
            return (leaf.astype(dtype) + jnp.asarray(self.scale, dtype) * next(noise).astype(dtype)).astype(leaf.dtype)

        return jax.tree.map(one, x)


def _normals(key: Key, count: int, shape: tuple[int, ...]) -> jax.Array:
    """Normal numbers `(count, *shape)`.

    XLA:CPU works along the last axis: drawn along a short one they take four times as long.
    """
    drawn = jax.random.normal(key, (*shape, count), jnp.float32)
    return jnp.moveaxis(drawn, -1, 0)


def _is_continuous(leaf: Any) -> bool:
    """Whether an array holds floating-point numbers."""
    return jnp.issubdtype(leaf.dtype, jnp.floating)


class TwoOpt(Move):
    """A random stretch of a tour, or of any one-dimensional array, is turned round: two edges are exchanged.

    **References** Croes 1958, doi:10.1287/opre.6.6.791.
    """

    def draw(self, key: Key, x: Params, count: int) -> jax.Array:
        """Two different places for each proposal, uniformly drawn."""
        n = _only_array(self, x, "one array with one axis", lambda leaf: leaf.ndim == 1 and leaf.size > 1).size
        numbers = _places(key, (count, 2), jnp.asarray([n, n - 1], jnp.uint32))
        i, j = numbers[:, 0], numbers[:, 1]
        j = j + (j >= i).astype(jnp.int32)
        return jnp.stack([jnp.minimum(i, j), jnp.maximum(i, j)], 1)

    def __call__(self, x: Params, drawn: jax.Array) -> Params:
        """The tour with the places from the first to the second number in reverse order."""
        i, j = drawn[0], drawn[1]

        def turn(leaf):
            place = jnp.arange(leaf.size, dtype=jnp.int32)
            # Backwards and shifted by a slice of two copies: many chains slice faster than they gather single entries.
            twice = jnp.concatenate([leaf[::-1], leaf[::-1]])
            turned = jax.lax.dynamic_slice_in_dim(twice, (leaf.size - 1 - i - j) % leaf.size, leaf.size)
            return jnp.where((place >= i) & (place <= j), turned, leaf)

        return jax.tree.map(turn, x)


class BitFlip(Move):
    """`count` different entries of an array of bits change: 0 becomes 1, anything else 0.

    - `count`: a whole number >= 1, at most the array's size.
    """

    count: int = static_field(1)

    def __check_init__(self):
        check_count(self, "count")

    def draw(self, key: Key, x: Params, count: int) -> jax.Array:
        """The places of each proposal, uniformly drawn; several are those with the largest random numbers."""
        leaf = _only_array(self, x, f"one array of at least {self.count} entries", lambda leaf: leaf.size >= self.count)
        if self.count == 1:
            return _places(key, (count, 1), jnp.asarray(leaf.size, jnp.uint32))
        return jax.lax.top_k(jax.random.uniform(key, (count, leaf.size), jnp.float32), self.count)[1]

    def __call__(self, x: Params, drawn: jax.Array) -> Params:
        """The array with the bits at these places changed."""

        def flip(leaf):
            place = jnp.arange(leaf.size, dtype=jnp.int32).reshape(leaf.shape)
            chosen = (place[..., None] == drawn).any(-1)
            return jnp.where(chosen, (~leaf.astype(bool)).astype(leaf.dtype), leaf)

        return jax.tree.map(flip, x)


def _places(key: Key, shape: tuple[int, ...], below: jax.Array) -> jax.Array:
    """Whole numbers in [0, below), uniform to `below / 2**32`; a third of the work of `jax.random.randint`."""
    return (jax.random.bits(key, shape, jnp.uint32) % below).astype(jnp.int32)


def _only_array(move: Move, x: Params, demand: str, fits: Any) -> Any:
    """The one array of a tree; one sentence where it is not what the move moves."""
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or not fits(leaves[0]):
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in leaves)
        raise ValueError(f"{move!r} moves {demand}, and x0 has the shapes {shapes}.")
    return leaves[0]
