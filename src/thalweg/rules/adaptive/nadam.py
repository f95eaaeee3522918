"""The NAdam rule."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.adam import AdamState, adam_init, adam_scalars


class NAdam(Rule):
    r"""NAdam: Adam with Nesterov momentum, which gives the newest gradient the weight it will have at the next step.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ x_{t+1} = x_t - \eta_t\, \frac{\beta_1 m_t/(1-\beta_1^{t+1}) + (1-\beta_1)\,g_t/(1-\beta_1^t)}
       {\sqrt{v_t/(1-\beta_2^t)} + \varepsilon}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.

    This is Dozat's rule with a constant \(\mu = \beta_1\), as in Optax, and as there without his further factor
    \(\beta_2\) in the root. PyTorch lets \(\mu_t\) rise from \(\beta_1/2\) to \(\beta_1\) over thousands of steps while
    the mean keeps \(\beta_1\); after that it is this rule.

    **Needs** a gradient.
    **Guarantee** None in general, as for Adam. With a constant learning rate it reaches a neighborhood of a minimum
    whose size is of the order of \(\eta\).
    **References** Dozat 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
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

        def step(g, m, v, eta, after, b1, b2, eps, c1, c2):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            ahead = b1 * (m / after) + (1 - b1) * (g / c1)
            return -eta * ahead / (jnp.sqrt(v / c2) + eps), m, v

        after = 1 - at(self.b1, state.count) ** real(state.count + 2)
        scalars = self.rate(state), after, *adam_scalars(self, state)
        update, m, v = lift(step, (grads, state.m, state.v), *scalars)
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
