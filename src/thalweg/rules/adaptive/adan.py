"""The Adan rule."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.masks import Mask, check_mask, evaluate_mask, zero_unmasked


class AdanState(NamedTuple):
    """The number of updates made, the running means (`m`, `d`, `v`), and the previous gradient (`g`)."""

    count: Scalar
    m: Params
    d: Params
    v: Params
    g: Params


class Adan(Rule):
    r"""Adan: Adam with Nesterov momentum, estimated from differences of successive gradients.

    With \(\Delta_t = g_t - g_{t-1}\), and \(\Delta_1 = 0\),

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad d_t = \beta_2 d_{t-1} + (1-\beta_2)\,\Delta_t, \qquad
       v_t = \beta_3 v_{t-1} + (1-\beta_3)\,(g_t + \beta_2 \Delta_t)^2, \]
    \[ x_{t+1} = \frac{1}{1 + \eta_t\lambda} \left( x_t - \eta_t\,
       \frac{\hat m_t + \beta_2\,\hat d_t}{\sqrt{\hat v_t} + \varepsilon} \right), \]

    where a hat divides by \(1-\beta_i^t\).

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`, `b3`: in [0, 1), or schedules: the weights of the old
      means, as in the authors' code; the \(\beta_i\) of the paper are \(1-\beta_i\) here.
    - `eps`: \(\varepsilon\) >= 0, outside the root.
    - `weight_decay`: \(\lambda\) >= 0, proximal: the step is followed by a division, which never changes a sign.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    The means start at zero and are bias-corrected, as in the authors' code; in the paper they start with the first
    gradient. Optax (0.2.8) differs: it weights \(\Delta_t\) and \(\hat d_t\) by \(1-\beta_2\) where the paper and the
    code have \(\beta_2\), adds a second epsilon inside the root, and decays as AdamW does.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None for these constants in general (the paper proves rates of convergence for learning rates and
    betas that depend on the accuracy sought). With a constant learning rate it reaches a neighborhood of a minimum
    whose size is of the order of \(\eta\).
    **References** Xie, Zhou, Li, Lin & Yan 2024, arXiv:2208.06677.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.98)
    b2: Any = real_field(0.92)
    b3: Any = real_field(0.99)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.0)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_fraction(self, "b1", "b2", "b3")
        check_mask(self)

    def init(self, params: Params) -> AdanState:
        """Returns a state with all running means at zero."""
        return AdanState(jnp.zeros((), jnp.int32), *(zeros_like(params) for _ in range(4)))

    def update(
        self, grads: Params, state: AdanState, params: Params | None = None, **extra
    ) -> tuple[Params, AdanState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)
        count, t = state.count, real(state.count + 1)
        betas = at(self.b1, count), at(self.b2, count), at(self.b3, count)

        def step(g, m, d, v, before, decaying, decays, first, eta, decay, eps, b1, b2, b3, c1, c2, c3):
            delta = g - jnp.where(first > 0, g, before)
            m = b1 * m + (1 - b1) * g
            d = b2 * d + (1 - b2) * delta
            v = b3 * v + (1 - b3) * (g + b2 * delta) ** 2
            s = (m / c1 + b2 * (d / c2)) / (jnp.sqrt(v / c3) + eps)
            # (x - eta s) / (1 + eta lambda) - x, without the difference of two large numbers.
            update = -eta * (s + decay * decaying) / (1 + eta * decay * decays)
            return update, m, d, v, g

        decays = jax.tree.map(lambda yes, leaf: jnp.asarray(yes, leaf.dtype), evaluate_mask(self, params), params)
        trees = (grads, state.m, state.d, state.v, state.g, zero_unmasked(self, params), decays)
        scalars = count == 0, self.rate(state), self.weight_decay, self.eps, *betas, *(1 - beta**t for beta in betas)
        update, *memory = lift(step, trees, *scalars)
        return update, AdanState(count + 1, *memory)

    def rate(self, state: AdanState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
