"""The LAMB rule."""

from typing import Any

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import AdamState, adam_direction, adam_init, adam_scalars
from thalweg.rules.layerwise.sizes import euclidean_norm, trust_ratio
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class LAMB(Rule):
    r"""LAMB: AdamW with a trust ratio, so that each layer moves by the fraction \(\eta\) of the norm of its weights.

    For every array \(x\) of the tree, with Adam's bias-corrected means \(\hat m_t, \hat v_t\),

    \[ r_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,x_t, \qquad
       x_{t+1} = x_t - \eta_t\,\frac{\|x_t\|}{\|r_t\|}\,r_t. \]

    The trust ratio \(\|x\|/\|r\|\) is 1 where one of the two is 0.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0.
    - `mask`: which leaves are scaled and decay. None means all of them; otherwise a function of the parameters that
      returns their tree with True for those leaves and False where Adam alone applies. `tw.matrices` leaves out biases
      and the scales of normalization layers. Optax's `mask` concerns the decay only.

    The means are bias-corrected, as in the paper and in Optax; pytorch_optimizer follows the paper's third version,
    which has no bias correction, and limits \(\|x\|\) to 10.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. The length of a step is \(\eta\|x\|\), so with a constant learning rate
    it reaches a neighborhood of a minimum, unless that is the origin.
    **References** You et al. 2020, arXiv:1904.00962, algorithm 2.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-6)
    weight_decay: float = real_field(1e-2)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_fraction(self, "b1", "b2")
        check_mask(self)

    def init(self, params: Params) -> AdamState:
        """Returns a state with both running means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, m, v, x, eta, decay, *scalars):  # x is a scalar 0 where the mask is False: ratio 1, no decay
            d, m, v = adam_direction(g, m, v, *scalars)
            r = d + decay * x
            return -eta * trust_ratio(euclidean_norm(x), euclidean_norm(r)) * r, m, v

        trees = (grads, state.m, state.v, zero_unmasked(self, params))
        update, m, v = lift(step, trees, self.rate(state), self.weight_decay, *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
