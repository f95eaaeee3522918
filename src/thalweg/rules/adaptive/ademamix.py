"""The AdEMAMix rule."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.adam import adam_scalars
from thalweg.rules.masks import Mask, check_mask, zero_unmasked
from thalweg.schedules.schedule import progress


class AdEMAMixState(NamedTuple):
    """The number of updates made, the fast and the slow mean of the gradients, and the mean of their squares."""

    count: Scalar
    m: Params
    slow: Params
    v: Params


class AdEMAMix(Rule):
    r"""AdEMAMix: AdamW with a second, slow mean of the gradients, which averages over tens of thousands of steps.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad s_t = \beta_3^{(t)} s_{t-1} + (1-\beta_3^{(t)})\,g_t, \qquad
       v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ x_{t+1} = x_t - \eta_t \left( \frac{m_t/(1-\beta_1^t) + \alpha^{(t)} s_t}{\sqrt{v_t/(1-\beta_2^t)} + \varepsilon}
       + \lambda\, x_t \right). \]

    The slow mean is not bias-corrected. With \(p = \min(t/T, 1)\) the paper lets \(\alpha^{(t)} = p\,\alpha\) grow
    linearly, and \(\beta_3^{(t)}\) so that the half-life of the mean grows linearly from that of \(\beta_1\):
    \(1/\ln\beta_3^{(t)} = (1-p)/\ln\beta_1 + p/\ln\beta_3\).

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`, `b3`: in [0, 1), or schedules.
    - `alpha`: \(\alpha\) >= 0, or a schedule. With 0 it is AdamW.
    - `eps`: \(\varepsilon\) >= 0, outside the root.
    - `weight_decay`: \(\lambda\) >= 0, decoupled. `mask`: which leaves decay, as for `tw.AdamW`.
    - `warmup`: \(T\), whole steps or `tw.Epochs(n)`, 0 for none; None for the length of the run, as in the paper.
      Without a warm-up, large \(\alpha\) and \(\beta_3\) make the early steps too long. Optax has no such field: there
      `b3` and `alpha` are schedules, which is possible here too.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for AdamW. With a constant learning rate it reaches a neighborhood of a minimum
    whose size is of the order of \(\eta\).
    **References** Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    b3: Any = real_field(0.9999)
    alpha: Any = real_field(5.0)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.0)
    mask: Mask | None = static_field(None)
    warmup: Any = duration_field(0)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "alpha", "eps", "weight_decay")
        check_fraction(self, "b1", "b2", "b3")
        check_mask(self)
        check_duration(self, "warmup", low=0)

    def init(self, params: Params) -> AdEMAMixState:
        """Returns a state with all running means at zero."""
        return AdEMAMixState(jnp.zeros((), jnp.int32), *(zeros_like(params) for _ in range(3)))

    def update(
        self, grads: Params, state: AdEMAMixState, params: Params | None = None, **extra
    ) -> tuple[Params, AdEMAMixState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, m, s, v, decaying, eta, decay, alpha, b3, b1, b2, eps, c1, c2):
            m = b1 * m + (1 - b1) * g
            s = b3 * s + (1 - b3) * g
            v = b2 * v + (1 - b2) * g**2
            d = (m / c1 + alpha * s) / (jnp.sqrt(v / c2) + eps)
            return -eta * (d + decay * decaying), m, s, v

        trees = (grads, state.m, state.slow, state.v, zero_unmasked(self, params))
        scalars = self.rate(state), self.weight_decay, *self.warmed_up(state), *adam_scalars(self, state)
        update, *memory = lift(step, trees, *scalars)
        return update, AdEMAMixState(state.count + 1, *memory)

    def warmed_up(self, state: AdEMAMixState) -> tuple[Scalar, Scalar]:
        r"""Returns \(\alpha^{(t)}\) and \(\beta_3^{(t)}\) of the next update."""
        b1, b3, alpha = (at(number, state.count) for number in (self.b1, self.b3, self.alpha))
        p = progress(real(state.count + 1), in_steps(self, "warmup"))
        rising = jnp.exp(1 / ((1 - p) / jnp.log(b1) + p / jnp.log(b3)))
        return p * alpha, jnp.where(p < 1, rising, b3)

    def rate(self, state: AdEMAMixState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
