"""The SGD rule: gradient descent."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.rule import Rule, at
from thalweg.core.tree import scaled
from thalweg.core.types import Params, Scalar, State


class SGDState(NamedTuple):
    """The number of updates made."""

    count: Scalar


class SGD(Rule):
    r"""SGD: gradient descent, and on mini-batches stochastic gradient descent.

    \[ x_{t+1} = x_t - \eta_t\,g_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule.

    **Needs** a gradient.
    **Guarantee** On an \(L\)-smooth \(\mu\)-strongly convex function with \(\eta \le 1/L\) each step multiplies the
    error by at most \(1 - \eta\mu\); for \(\eta > 2/L\) the iteration diverges on a quadratic.
    **References** Robbins & Monro 1951, doi:10.1214/aoms/1177729586; Nesterov 2018, doi:10.1007/978-3-319-91578-4,
    section 2.1.5.
    """

    learning_rate: Any = real_field()

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")

    def init(self, params: Params) -> SGDState:
        """Returns a state with a count of 0."""
        return SGDState(jnp.zeros((), jnp.int32))

    def update(self, grads: Params, state: SGDState, params: Params | None = None, **extra) -> tuple[Params, State]:
        """Returns `-learning_rate * grads`, and the new state."""
        return scaled(-self.rate(state), grads), SGDState(state.count + 1)

    def rate(self, state: SGDState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
