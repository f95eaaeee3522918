"""The D-Adapted Adam rule."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, check_positive, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import dot, zeros_like
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.masks import Mask, check_mask, zero_unmasked
from thalweg.rules.parameter_free.distance import l1_norm, raise_estimate


class DAdaptAdamState(NamedTuple):
    """The number of updates made, the means `m` and `v`, the mean `s` of scaled gradients, and the estimate `d`.

    `gain` is the running mean of the inner product of gradients and `s`, weighted by `v`: the `r` of the formulas.
    """

    count: Scalar
    m: Params
    v: Params
    s: Params
    d: Scalar
    gain: Scalar


class DAdaptAdam(Rule):
    r"""D-Adapted Adam: Adam with a growing estimate of the distance from the start to the minimum as its learning rate.

    With \(\beta = \sqrt{\beta_2}\) and
    \(\eta_t = d_t\,\gamma_t\,\sqrt{1-\beta_2^{t+1}}/(1-\beta_1^{t+1})\),

    \[ m_{t+1} = \beta_1 m_t + (1-\beta_1)\,\eta_t g_t, \qquad v_{t+1} = \beta_2 v_t + (1-\beta_2)\,g_t^2, \]
    \[ r_{t+1} = \beta r_t + (1-\beta)\,\eta_t \Bigl\langle g_t, \frac{s_t}{\sqrt{v_t} + \varepsilon} \Bigr\rangle,
       \qquad s_{t+1} = \beta s_t + (1-\beta)\,\eta_t g_t, \qquad
       d_{t+1} = \max\left(d_t, \frac{r_{t+1}}{(1-\beta)\|s_{t+1}\|_1}\right), \]
    \[ x_{t+1} = x_t - \frac{m_{t+1}}{\sqrt{v_{t+1}} + \varepsilon} - \eta_t\lambda\,x_t. \]

    Sums are over the whole tree.

    - `learning_rate`: \(\gamma\) >= 0, a factor for the estimated learning rate, or a schedule of it with the peak 1.
      The trace shows this factor; the estimate is `state.d`.
    - `b1`, `b2`: \(\beta_1, \beta_2\) in [0, 1), or schedules. `eps`: \(\varepsilon\) >= 0, outside the root.
    - `weight_decay`: \(\lambda\) >= 0, decoupled. `d0`: \(d_0\) > 0, the first estimate, far below the distance.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    The bias correction \(\sqrt{1-\beta_2^t}/(1-\beta_1^t)\) is always on, as in Optax; in the authors' code and in
    pytorch_optimizer it is off by default. The estimate is stored in the widest float in use, in Optax in the narrowest
    of the parameters. A gradient that is zero everywhere does not change it.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None for this form; with a constant factor it reaches a neighborhood of a minimum. For convex
    functions with gradients bounded by \(G\) the paper's dual averaging has \(f(\bar x_T) - f^* = O(GD/\sqrt T)\) in
    the limit, with \(D = \|x_0 - x^*\|\), and there \(d_t \le D\).
    **References** Defazio & Mishchenko 2023, arXiv:2301.07733.
    """

    learning_rate: Any = real_field(1.0)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.0)
    d0: float = real_field(1e-6)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_positive(self, "d0")
        check_fraction(self, "b1", "b2")
        check_mask(self)

    def init(self, params: Params) -> DAdaptAdamState:
        """Returns a state with all running means at zero and the estimate at `d0`."""
        m, v, s = (zeros_like(params) for _ in range(3))
        return DAdaptAdamState(jnp.zeros((), jnp.int32), m, v, s, real(self.d0), real(0))

    def update(
        self, grads: Params, state: DAdaptAdamState, params: Params | None = None, **extra
    ) -> tuple[Params, DAdaptAdamState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)
        t, b1, b2 = real(state.count + 1), at(self.b1, state.count), at(self.b2, state.count)
        b3 = jnp.sqrt(b2)
        eta = state.d * self.rate(state) * jnp.sqrt(1 - b2**t) / (1 - b1**t)

        def ahead(s, v, eps):
            return (s / jnp.where(v > 0, jnp.sqrt(v) + eps, 1),)  # where v is 0, so is s

        def means(m, v, s, g, eta, b1, b2, b3):
            return b1 * m + (1 - b1) * eta * g, b2 * v + (1 - b2) * g**2, b3 * s + (1 - b3) * eta * g

        def step(g, m, v, decaying, eta, eps, decay):
            return (-(m / (jnp.sqrt(v) + eps)) - eta * decay * decaying,)

        (direction,) = lift(ahead, (state.s, state.v), self.eps)
        gain = b3 * state.gain + (1 - b3) * eta * real(dot(grads, direction))
        m, v, s = lift(means, (state.m, state.v, state.s, grads), eta, b1, b2, b3)
        d = raise_estimate(state.d, gain, (1 - b3) * real(l1_norm(s)))
        (update,) = lift(step, (grads, m, v, zero_unmasked(self, params)), eta, self.eps, self.weight_decay)
        return update, DAdaptAdamState(state.count + 1, m, v, s, d, gain)

    def rate(self, state: DAdaptAdamState) -> Scalar:
        """Returns the factor of the estimated learning rate at the next update."""
        return at(self.learning_rate, state.count)
