"""No update at all."""

import jax.numpy as jnp

from thalweg.core.rule import Rule
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, State, real


class Freeze(Rule):
    """Leaves parameters as they are: for a group inside `tw.Partition`. It keeps no state."""

    def init(self, params: Params) -> State:
        """Nothing."""
        return ()

    def update(self, grads: Params, state: State, params: Params | None = None, **extra) -> tuple[Params, State]:
        """Zeros."""
        return zeros_like(grads), state

    def rate(self, state: State) -> Scalar:
        """0."""
        return real(jnp.zeros(()))
