"""The ADOPT rule."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import (
    check_flag,
    check_fraction,
    check_nonnegative,
    check_positive,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.adam import AdamState, adam_init
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class ADOPT(Rule):
    r"""ADOPT: Adam that normalizes each gradient by the past ones before it enters the mean.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,
       \mathrm{clip}\!\left(\frac{g_t}{\max(\sqrt{v_{t-1}}, \varepsilon)},\ t^{1/4}\right), \qquad
       x_{t+1} = x_t - \eta_t\,(m_t + \lambda\, x_t), \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2 \]

    for \(t = 1, 2, \dots\), with \(m_0 = 0\) and \(v_0 = g_0^2\): the first gradient initializes \(v\) and makes no
    step.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) > 0, the smallest divisor.
    - `clip`: whether every entry is clipped at \(t^{1/4}\), as the authors recommend for the first steps, when \(v\)
      holds few gradients; False for their original algorithm.
    - `weight_decay`: \(\lambda\) >= 0, decoupled. `mask`: which leaves decay, as for `tw.AdamW`.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** With \(\eta \sim 1/\sqrt T\) and clipping, the smallest expected gradient norm after \(T\) steps is
    \(O(T^{-1/4})\) on smooth functions with bounded second moments, for any \(\beta_2\) (Adam needs one that depends on
    the problem). With a constant learning rate it reaches a neighborhood of a minimum of the order of \(\eta\).
    **References** Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo 2024,
    arXiv:2411.02853.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.9999)
    eps: float = real_field(1e-6)
    clip: bool = static_field(True)
    weight_decay: float = real_field(0.0)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_fraction(self, "b1", "b2")
        check_positive(self, "eps")
        check_flag(self, "clip")
        check_mask(self)

    def init(self, params: Params) -> AdamState:
        """Returns a state with both running means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)
        first, t = state.count == 0, real(state.count)

        def step(g, m, v, decaying, eta, decay, b1, b2, eps, limit):
            d = jnp.clip(g / jnp.maximum(jnp.sqrt(v), eps), -limit, limit)
            m = b1 * m + (1 - b1) * d
            return -eta * (m + decay * decaying), m, b2 * v + (1 - b2) * g**2

        # At the first gradient the limit is 0, so that m stays 0, and nothing of v is kept.
        limit = t**0.25 if self.clip else jnp.where(first, 0, jnp.inf)
        decay, b2 = jnp.where(first, 0, self.weight_decay), jnp.where(first, 0, at(self.b2, state.count))
        scalars = self.rate(state), decay, at(self.b1, state.count), b2, self.eps, limit
        update, m, v = lift(step, (grads, state.m, state.v, zero_unmasked(self, params)), *scalars)
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
