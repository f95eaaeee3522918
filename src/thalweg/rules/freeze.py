"""The rule that never changes its parameters."""

import jax.numpy as jnp

from thalweg.core.rule import Rule
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, State, real


class Freeze(Rule):
    """A rule that never changes its parameters, for a frozen group of `tw.Partition`; it has no state."""

    def init(self, params: Params) -> State:
        """Returns the empty state."""
        return ()

    def update(self, grads: Params, state: State, params: Params | None = None, **extra) -> tuple[Params, State]:
        """Returns an update of zeros, and the state as it is."""
        return zeros_like(grads), state

    def rate(self, state: State) -> Scalar:
        """Returns a learning rate of 0."""
        return real(jnp.zeros(()))
