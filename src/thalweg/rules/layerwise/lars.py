"""The LARS rule."""

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
    r"""LARS: momentum with a trust ratio, so that each layer moves by a fixed fraction of the norm of its weights.

    For every array \(x\) of the tree, with its gradient \(g\),

    \[ m_t = \beta\,m_{t-1} + \eta_t\,\frac{\tau\,\|x_t\|}{\|g_t\| + \lambda\|x_t\|}\,(g_t + \lambda x_t), \qquad
       x_{t+1} = x_t - m_t. \]

    The fraction, the trust ratio, is 1 for weights that are all zero and where the denominator is 0.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: \(\beta\) in [0, 1), the momentum, or a schedule.
    - `weight_decay`: \(\lambda\) >= 0. `trust`: \(\tau\) > 0, the length of a step in units of the norm of the weights.
    - `mask`: which leaves are scaled and decay. None means all of them; otherwise a function of the parameters that
      returns their tree with True for those leaves and False where plain momentum applies. `tw.matrices` leaves out
      biases and the scales of normalization layers, as is usual.

    Optax divides by \(\|g + \lambda x\|\), which is the same without decay and differs from the paper with it.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general: the length of a step depends on the weights and not on the gradient, so it vanishes
    only where the weights do. Without decay the iterates do not change when the loss is multiplied by a number.
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
        """Returns a state with zero momentum."""
        return MomentumState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MomentumState, params: Params | None = None, **extra
    ) -> tuple[Params, MomentumState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, m, x, eta, beta, decay, trust):  # x is a scalar 0 where the mask is False: ratio 1, no decay
            ratio = trust_ratio(trust * euclidean_norm(x), euclidean_norm(g) + decay * euclidean_norm(x))
            m = beta * m + eta * ratio * (g + decay * x)
            return -m, m

        trees = (grads, state.m, zero_unmasked(self, params))
        numbers = self.rate(state), at(self.beta, state.count), self.weight_decay, self.trust
        update, m = lift(step, trees, *numbers)
        return update, MomentumState(state.count + 1, m)

    def rate(self, state: MomentumState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
