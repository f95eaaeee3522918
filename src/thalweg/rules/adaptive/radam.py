"""The RAdam rule."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, check_real, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.adam import AdamState, adam_init, adam_scalars


class RAdam(Rule):
    r"""RAdam: Adam with a rectified adaptive learning rate, which waits until enough gradients have been averaged.

    With Adam's bias-corrected means \(\hat m_t\), \(\hat v_t\), and the effective number of gradients in \(\hat v_t\),

    \[ \rho_\infty = \frac{2}{1-\beta_2} - 1, \qquad \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1-\beta_2^t}, \]
    \[ x_{t+1} = x_t - \eta_t \begin{cases}
       r_t\,\hat m_t / (\sqrt{\hat v_t} + \varepsilon) & \rho_t \ge \rho_{\min} \\ \hat m_t & \text{else} \end{cases},
       \qquad r_t = \sqrt{\frac{(\rho_t-4)(\rho_t-2)\,\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\,\rho_t}}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.
    - `threshold`: \(\rho_{\min}\) >= 4. The paper says \(\rho_t > 4\); its code, Optax and PyTorch use 5.

    With \(\beta_2 = 0.999\) the first five steps are those of momentum: their length is proportional to the gradient's.
    PyTorch adds \(\varepsilon\) to the root before the bias correction. With \(\beta_2 \le 2/3\) no \(\rho_t\)
    reaches 5.

    **Needs** a gradient.
    **Guarantee** None in general, as for Adam. With a constant learning rate it reaches a neighborhood of a minimum
    whose size is of the order of \(\eta\).
    **References** Liu, Jiang, He, Chen, Liu, Gao & Han 2020, arXiv:1908.03265.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)
    threshold: float = real_field(5.0)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps")
        check_fraction(self, "b1", "b2")
        check_real(self, "threshold", 4.0, jnp.inf, "a finite number >= 4", open_high=True)

    def init(self, params: Params) -> AdamState:
        """Returns a state with both running means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """Returns the update of one step, and the new state."""

        def step(g, m, v, eta, trusted, r, b1, b2, eps, c1, c2):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            scale = jnp.where(trusted > 0, r / (jnp.sqrt(v / c2) + eps), 1)
            return -eta * (m / c1) * scale, m, v

        scalars = self.rate(state), *self.rectification(state), *adam_scalars(self, state)
        update, m, v = lift(step, (grads, state.m, state.v), *scalars)
        return update, AdamState(state.count + 1, m, v)

    def rectification(self, state: AdamState) -> tuple[Scalar, Scalar]:
        r"""Returns whether \(\rho_t\) has reached the threshold, and \(r_t\) (1 before that)."""
        t, b2 = real(state.count + 1), at(self.b2, state.count)
        most = 2 / (1 - b2) - 1
        missing = jnp.expm1(t * jnp.log(b2))  # b2^t - 1; the difference would put rho_6 off by 0.02 in float32
        rho = most + 2 * t * (1 + missing) / missing
        r = jnp.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        trusted = rho >= self.threshold
        return trusted, jnp.where(trusted, r, 1)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
