"""The Prodigy rule."""

from typing import Any, NamedTuple

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
from thalweg.core.tree import dot, subtract, zeros_like
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.masks import Mask, check_mask, zero_unmasked
from thalweg.rules.parameter_free.distance import l1_norm, raise_estimate


class ProdigyState(NamedTuple):
    """The number of updates made, the means `m` and `v`, the weighted sum `s` of gradients, the start, and `d`.

    `gain` is the weighted sum of `<g, x_0 - x>`: the `r` of the formulas.
    """

    count: Scalar
    m: Params
    v: Params
    s: Params
    x0: Params
    d: Scalar
    gain: Scalar


class Prodigy(Rule):
    r"""Prodigy: Adam with an estimate of the distance from the start to the minimum as its learning rate.

    \[ m_{t+1} = \beta_1 m_t + (1-\beta_1)\,d_t g_t, \qquad v_{t+1} = \beta_2 v_t + (1-\beta_2)\,d_t^2 g_t^2, \]
    \[ r_{t+1} = \beta_3 r_t + \frac{d_t \eta_t}{d_0}\, \langle g_t, x_0 - x_t \rangle, \qquad
       s_{t+1} = \beta_3 s_t + \frac{d_t \eta_t}{d_0}\, g_t, \qquad
       d_{t+1} = \max\left(d_t,\ c\,\frac{r_{t+1}}{\|s_{t+1}\|_1}\right), \]
    \[ x_{t+1} = x_t - \eta_t \left( \frac{m_{t+1}}{\sqrt{v_{t+1}} + d_{t+1}\varepsilon} + \lambda x_t \right), \qquad
       \eta_t = d_t\,\gamma_t\,\frac{\sqrt{1-\beta_2^{t+1}}}{1-\beta_1^{t+1}}, \]

    where inner products and sums are over the whole tree. The estimate \(d_t\) only grows.

    - `learning_rate`: \(\gamma\) >= 0, a factor for the estimated learning rate, or a schedule of it with the peak 1.
      The trace shows this factor; the estimate is `state.d`.
    - `b1`, `b2`: \(\beta_1, \beta_2\) in [0, 1), or schedules. `b3`: \(\beta_3\) in [0, 1); None for
      \(\sqrt{\beta_2}\).
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0, decoupled.
    - `d0`: \(d_0\) > 0, the first estimate, far below the distance. `growth`: \(c\) > 0, a factor of the estimates.
    - `safeguard`: whether \(s\) is summed without \(\gamma_t\) and the bias correction, for schedules that warm up.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    The bias correction \(\sqrt{1-\beta_2^t}/(1-\beta_1^t)\) is always on, as in Optax; in the authors' code and in
    pytorch_optimizer it is off by default. The estimate is stored in the widest float in use, in Optax in the narrowest
    of the parameters. A gradient that is zero everywhere does not change it.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None for this form; with a constant factor it reaches a neighborhood of a minimum. For convex
    functions with gradients bounded by \(G\) the paper's dual-averaging form has
    \(f(\bar x_T) - f^* = O(GD\sqrt{\log(D/d_0)/T})\) with \(D = \|x_0 - x^*\|\), and there \(d_t \le D\).
    **References** Mishchenko & Defazio 2024, arXiv:2306.06101.
    """

    learning_rate: Any = real_field(1.0)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    b3: float | None = real_field(None)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.0)
    d0: float = real_field(1e-6)
    growth: float = real_field(1.0)
    safeguard: bool = static_field(False)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_positive(self, "d0", "growth")
        check_fraction(self, "b1", "b2", *(() if self.b3 is None else ("b3",)))
        check_flag(self, "safeguard")
        check_mask(self)

    def init(self, params: Params) -> ProdigyState:
        """Returns a state with all means and sums at zero and the estimate at `d0`."""
        m, v, s = (zeros_like(params) for _ in range(3))
        return ProdigyState(jnp.zeros((), jnp.int32), m, v, s, params, real(self.d0), real(0))

    def update(
        self, grads: Params, state: ProdigyState, params: Params | None = None, **extra
    ) -> tuple[Params, ProdigyState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)
        d, t, b1, b2 = state.d, real(state.count + 1), at(self.b1, state.count), at(self.b2, state.count)
        b3 = jnp.sqrt(b2) if self.b3 is None else self.b3
        eta = d * self.rate(state) * jnp.sqrt(1 - b2**t) / (1 - b1**t)
        weight = (d / self.d0) * (d if self.safeguard else eta)

        def sums(m, v, s, g, d, weight, b1, b2, b3):
            return b1 * m + (1 - b1) * (d * g), b2 * v + (1 - b2) * (d * g) ** 2, b3 * s + weight * g

        def step(g, m, v, decaying, eta, eps, decay):
            return (-eta * (m / (jnp.sqrt(v) + eps) + decay * decaying),)

        m, v, s = lift(sums, (state.m, state.v, state.s, grads), d, weight, b1, b2, b3)
        gain = b3 * state.gain + (d / self.d0) * eta * real(dot(grads, subtract(state.x0, params)))
        d = raise_estimate(d, self.growth * gain, real(l1_norm(s)))
        (update,) = lift(step, (grads, m, v, zero_unmasked(self, params)), eta, d * self.eps, self.weight_decay)
        return update, ProdigyState(state.count + 1, m, v, s, state.x0, d, gain)

    def rate(self, state: ProdigyState) -> Scalar:
        """Returns the factor of the estimated learning rate at the next update."""
        return at(self.learning_rate, state.count)
