"""Loops whose scalars travel together.

On the CPU every array that a loop carries is a kernel of its own at each turn, and one more to compile. The state of
a line search or of a run is mostly scalars; as one vector a dtype they are written by one kernel (docs/design.md).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from thalweg.core.tree import is_key

T = TypeVar("T")


class Packing:
    """Which leaves of a tree are scalars, and how the tree becomes one vector of them a dtype, and the rest."""

    def __init__(self, like: Any):
        leaves, self.structure = jax.tree.flatten(like)
        kinds: dict[Any, list[int]] = {}
        for place, leaf in enumerate(leaves):
            if leaf.shape == () and not is_key(leaf):
                kinds.setdefault(leaf.dtype, []).append(place)
        self.together = [places for places in kinds.values() if len(places) > 1]
        packed = {place for places in self.together for place in places}
        self.apart = [place for place in range(len(leaves)) if place not in packed]

    def pack(self, tree: Any) -> list[jax.Array]:
        """The vectors, then what stays by itself."""
        leaves = jax.tree.leaves(tree)
        vectors = [jax.lax.concatenate([leaves[i].reshape(1) for i in places], 0) for places in self.together]
        return vectors + [leaves[i] for i in self.apart]

    def unpack(self, packed: list[jax.Array]) -> Any:
        """The tree that was packed."""
        leaves: list[Any] = [None] * self.structure.num_leaves
        vectors, rest = packed[: len(self.together)], packed[len(self.together) :]
        for vector, places in zip(vectors, self.together, strict=True):
            for i, place in enumerate(places):
                leaves[place] = jax.lax.index_in_dim(vector, i, keepdims=False)
        for leaf, place in zip(rest, self.apart, strict=True):
            leaves[place] = leaf
        return jax.tree.unflatten(self.structure, leaves)


def while_loop(going: Callable[[T], Any], body: Callable[[T], T], start: T) -> T:
    """`jax.lax.while_loop`, with the scalars of each dtype packed into one vector."""
    start = jax.tree.map(jnp.asarray, start)
    packing = Packing(start)

    def one(packed: list[jax.Array]) -> list[jax.Array]:
        return packing.pack(body(packing.unpack(packed)))

    end = jax.lax.while_loop(lambda packed: going(packing.unpack(packed)), one, packing.pack(start))
    return packing.unpack(end)
