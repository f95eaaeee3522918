"""The AdamW rule: Adam with decoupled weight decay."""

from typing import Any

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import AdamState, adam_direction, adam_init, adam_scalars
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class AdamW(Rule):
    r"""AdamW: Adam with decoupled weight decay, which also shrinks every parameter by the fraction \(\eta_t\lambda\).

    \[ x_{t+1} = x_t - \eta_t \left( \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\, x_t \right), \]

    with Adam's bias-corrected means \(\hat m_t, \hat v_t\) of the gradient and of its square. An L2 penalty inside the
    loss would be divided by the root as well: for Adam, unlike for gradient descent, the two are different methods.

    - `learning_rate`: \(\eta\) >= 0, or a schedule; it multiplies the decay too. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0.
    - `mask`: which leaves decay. None means all of them; otherwise a function of the parameters that returns their tree
      with True where a leaf decays. `tw.matrices` leaves out biases and the scales of normalization layers.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. With a constant learning rate it reaches a neighborhood of a minimum at
    the origin, where its steps stay of the order of \(\eta\). The decay moves any other minimum; on mini-batches it
    moves it by an amount that grows with \(\lambda\) and does not vanish with \(\eta\). With full gradients, if every
    leaf decays, \(\beta_1 \le \beta_2\), \(\varepsilon = 0\) and the learning rates never grow but add up to infinity,
    then iterates that converge do so to a KKT point of the loss under \(\|x\|_\infty \le 1/\lambda\)
    (arXiv:2404.04454).
    **References** Loshchilov & Hutter 2019, arXiv:1711.05101; Xie & Li 2024, arXiv:2404.04454 (the limit).
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)
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

        def step(g, m, v, decaying, eta, decay, *scalars):
            d, m, v = adam_direction(g, m, v, *scalars)
            return -eta * (d + decay * decaying), m, v

        trees = (grads, state.m, state.v, zero_unmasked(self, params))
        update, m, v = lift(step, trees, self.rate(state), self.weight_decay, *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
