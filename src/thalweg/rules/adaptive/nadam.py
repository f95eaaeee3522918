"""NAdam."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.adam import AdamState, adam_init, adam_scalars


class NAdam(Rule):
    r"""Adam with Nesterov's momentum: the newest gradient counts as the mean of the next step will count it.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ x_{t+1} = x_t - \eta_t\, \frac{\beta_1 m_t/(1-\beta_1^{t+1}) + (1-\beta_1)\,g_t/(1-\beta_1^t)}
       {\sqrt{v_t/(1-\beta_2^t)} + \varepsilon}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.

    This is Dozat's rule with a constant \(\mu = \beta_1\), as in Optax; like there, his further factor \(\beta_2\) in
    the root is left out. PyTorch lets \(\mu_t\) rise from \(\beta_1/2\) to \(\beta_1\) over thousands of steps while
    the mean keeps \(\beta_1\): it is this rule once \(\mu_t\) has arrived.

    **Needs** a gradient.
    **Guarantee** None in general, as for Adam; with a constant rate it ends in a neighborhood of a minimum of the
    order of \(\eta\).
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
        """Both means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """One step of the iteration."""

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
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
