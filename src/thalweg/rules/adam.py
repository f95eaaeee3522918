"""The Adam rule, and the parts of it that other rules share."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, ScalarLike, real


class AdamState(NamedTuple):
    """The number of updates made, and the running means of the gradient (`m`) and of its square (`v`)."""

    count: Scalar
    m: Params
    v: Params


def adam_init(params: Params) -> AdamState:
    """Returns a state with both running means at zero."""
    return AdamState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))


def adam_direction(g, m, v, b1, b2, eps, c1, c2):
    """Returns the direction for one array and the new means; `c1` and `c2` correct the bias of their start at zero."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    return (m / c1) / (jnp.sqrt(v / c2) + eps), m, v


def adam_scalars(rule: Any, state: Any) -> tuple[ScalarLike, ...]:
    """Returns the scalars that `adam_direction` takes at the next update; of the state only `count` is read."""
    t, b1, b2 = real(state.count + 1), at(rule.b1, state.count), at(rule.b2, state.count)
    return b1, b2, rule.eps, 1 - b1**t, 1 - b2**t


class Adam(Rule):
    r"""Adam: steps of about the learning rate in every coordinate, whatever the scale of the gradient.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ x_{t+1} = x_t - \eta_t\, \frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t)} + \varepsilon}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.

    **Needs** a gradient.
    **Guarantee** None in general: Adam need not converge even on convex problems (arXiv:1904.09237). With a constant
    learning rate it reaches a neighborhood of a minimum, where its steps stay of the order of \(\eta\).
    **References** Kingma & Ba 2015, arXiv:1412.6980.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps")
        check_fraction(self, "b1", "b2")

    def init(self, params: Params) -> AdamState:
        """Returns a state with both running means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """Returns the update of one step, and the new state."""

        def step(g, m, v, eta, *scalars):
            d, m, v = adam_direction(g, m, v, *scalars)
            return -eta * d, m, v

        update, m, v = lift(step, (grads, state.m, state.v), self.rate(state), *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
