"""Adam."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, ScalarLike, real


class AdamState(NamedTuple):
    """Updates made, and the running means of the gradient and of its square."""

    count: Scalar
    m: Params
    v: Params


def adam_init(params: Params) -> AdamState:
    """Both means at zero."""
    return AdamState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))


def adam_direction(g, m, v, b1, b2, eps, c1, c2):
    """The step per unit of rate for one array, and the new means; `c1`, `c2` correct for their start at zero."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    return (m / c1) / (jnp.sqrt(v / c2) + eps), m, v


def adam_scalars(rule: Any, state: Any) -> tuple[ScalarLike, ...]:
    """What `adam_direction` needs besides arrays, for the next update; of the state only the count."""
    t, b1, b2 = real(state.count + 1), at(rule.b1, state.count), at(rule.b2, state.count)
    return b1, b2, rule.eps, 1 - b1**t, 1 - b2**t


class Adam(Rule):
    r"""Adam: a step of about \(\eta\) along every coordinate, whatever the gradient's scale.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ x_{t+1} = x_t - \eta_t\, \frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t)} + \varepsilon}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.

    **Needs** a gradient.
    **Guarantee** None in general: Adam need not converge even on convex problems (arXiv:1904.09237). With a
    constant rate it ends in a neighborhood of a minimum; there its steps are of the order of \(\eta\).
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
        """Both means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """One step of the iteration."""

        def step(g, m, v, eta, *scalars):
            d, m, v = adam_direction(g, m, v, *scalars)
            return -eta * d, m, v

        update, m, v = lift(step, (grads, state.m, state.v), self.rate(state), *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
