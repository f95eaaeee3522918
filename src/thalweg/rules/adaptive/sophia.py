"""The Sophia rule."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, check_positive, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class SophiaState(NamedTuple):
    """The number of updates made, and the running means of the gradient (`m`) and of the Hessian's diagonal (`h`)."""

    count: Scalar
    m: Params
    h: Params


class Sophia(Rule):
    r"""Sophia: momentum divided by a running mean of the Hessian's diagonal, each entry clipped to the learning rate.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad
       h_t = \beta_2 h_{t-1} + (1-\beta_2)\,\hat h_t \text{ where } \hat h_t \text{ is given, else } h_{t-1}, \]
    \[ x_{t+1} = x_t - \eta_t \left( \mathrm{clip}\left(\frac{m_t}{\max(\gamma h_t, \varepsilon)},\ 1\right)
       + \lambda x_t \right). \]

    `update` takes the estimate \(\hat h_t\) as the keyword `hessian_diagonal`: a tree like the parameters, or None at
    steps without an estimate (the paper makes one every ten steps). Before the first estimate, and where the curvature
    is negative, the step is \(\pm\eta\), against the sign of the momentum.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `gamma`: \(\gamma\) > 0: the larger, the fewer entries are clipped. `eps`: \(\varepsilon\) > 0.
    - `weight_decay`: \(\lambda\) >= 0.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    As in the paper there is no bias correction, and an estimate is used at the step that brings it. Optax corrects the
    bias of \(m\), and uses an estimate from the next step on.

    **Needs** a gradient, in `update` the parameters, and at some of its calls an estimate of the Hessian's diagonal.
    **Guarantee** No entry of a step is longer than \(\eta\) without decay.
    **References** Liu, Li, Hall, Liang & Ma 2024, arXiv:2305.14342, algorithm 3.
    """

    learning_rate: Any = real_field()
    b1: Any = real_field(0.96)
    b2: Any = real_field(0.99)
    gamma: float = real_field(0.01)
    eps: float = real_field(1e-12)
    weight_decay: float = real_field(0.0)
    mask: Mask | None = static_field(None)
    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.CURVATURE})

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_positive(self, "gamma", "eps")
        check_fraction(self, "b1", "b2")
        check_mask(self)

    def init(self, params: Params) -> SophiaState:
        """Returns a state with both running means at zero."""
        return SophiaState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(
        self, grads: Params, state: SophiaState, params: Params | None = None, *, hessian_diagonal=None, **extra
    ) -> tuple[Params, SophiaState]:
        """Returns the update of one step, and the new state."""
        params, h = required(self, grads, "params", params), state.h
        if hessian_diagonal is not None:

            def averaged(h, estimate, b2):
                return (b2 * h + (1 - b2) * estimate,)

            (h,) = lift(averaged, (h, hessian_diagonal), at(self.b2, state.count))

        def step(g, m, h, decaying, eta, b1, gamma, eps, decay):
            m = b1 * m + (1 - b1) * g
            return -eta * (jnp.clip(m / jnp.maximum(gamma * h, eps), -1, 1) + decay * decaying), m

        trees = (grads, state.m, h, zero_unmasked(self, params))
        numbers = at(self.b1, state.count), self.gamma, self.eps, self.weight_decay
        update, m = lift(step, trees, self.rate(state), *numbers)
        return update, SophiaState(state.count + 1, m, h)

    def rate(self, state: SophiaState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
