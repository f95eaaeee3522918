"""LARS."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, check_positive, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.layerwise.sizes import euclidean_norm, trust_ratio
from thalweg.rules.masks import Mask, check_mask, zero_unmasked
from thalweg.rules.momentum import MomentumState


class LARS(Rule):
    r"""Momentum whose every layer moves by a given fraction of its own weights, whatever the gradient's scale.

    For every array \(x\) of the tree, with its gradient \(g\),

    \[ m_t = \beta\,m_{t-1} + \eta_t\,\frac{\tau\,\|x_t\|}{\|g_t\| + \lambda\|x_t\|}\,(g_t + \lambda x_t), \qquad
       x_{t+1} = x_t - m_t. \]

    The fraction, the trust ratio, is 1 for weights that are all zero and where the denominator is 0.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: \(\beta\) in [0, 1), what is kept of the memory, or a
      schedule.
    - `weight_decay`: \(\lambda\) >= 0. `trust`: \(\tau\) > 0, the length of a step in units of the weights.
    - `mask`: None, and every leaf is scaled and decays; or a function of the parameters that returns their tree with
      True where a leaf is and does and False where plain momentum moves it. `tw.matrices` spares biases and the scales
      of norms, as is usual.

    Optax divides by \(\|g + \lambda x\|\): the same without decay, otherwise not what the paper writes.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general: a step is as long as the weights say, not as the gradient does, so it vanishes only
    where they do. Its sequence does not change when the loss is multiplied by a number (without decay).
    **References** You, Gitman & Ginsburg 2017, arXiv:1708.03888.
    """

    learning_rate: Any = real_field()
    beta: Any = real_field(0.9)
    weight_decay: float = real_field(5e-4)
    trust: float = real_field(1e-3)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_fraction(self, "beta")
        check_positive(self, "trust")
        check_mask(self)

    def init(self, params: Params) -> MomentumState:
        """Nothing accumulated."""
        return MomentumState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MomentumState, params: Params | None = None, **extra
    ) -> tuple[Params, MomentumState]:
        """One step of the iteration."""
        params = required(self, grads, "params", params)

        def step(g, m, x, eta, beta, decay, trust):  # x is a scalar 0 where the mask says no: ratio 1, no decay
            ratio = trust_ratio(trust * euclidean_norm(x), euclidean_norm(g) + decay * euclidean_norm(x))
            m = beta * m + eta * ratio * (g + decay * x)
            return -m, m

        trees = (grads, state.m, zero_unmasked(self, params))
        numbers = self.rate(state), at(self.beta, state.count), self.weight_decay, self.trust
        update, m = lift(step, trees, *numbers)
        return update, MomentumState(state.count + 1, m)

    def rate(self, state: MomentumState) -> Scalar:
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
