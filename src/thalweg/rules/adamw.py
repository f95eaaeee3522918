"""AdamW."""

from typing import Any

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import AdamState, adam_direction, adam_init, adam_scalars
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class AdamW(Rule):
    r"""Adam with decoupled weight decay: besides Adam's step every parameter shrinks by \(\eta_t\lambda\) of itself.

    \[ x_{t+1} = x_t - \eta_t \left( \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\, x_t \right), \]

    with Adam's corrected means \(\hat m_t, \hat v_t\) of the gradient and of its square. An L2 penalty inside the loss
    would be divided by the root as well: for Adam, unlike for gradient descent, the two are different methods.

    - `learning_rate`: \(\eta\) >= 0, or a schedule; it multiplies the decay too. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0.
    - `mask`: None, and every leaf decays; or a function of the parameters that returns their tree with True where a
      leaf decays and False where not. `tw.matrices` spares biases and the scales of norms.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. With a constant rate it ends in a neighborhood of a minimum at the
    origin, and there its steps are of the order of \(\eta\); any other minimum the decay moves, on mini-batches by an
    amount that grows with \(\lambda\) and does not vanish with \(\eta\). On whole data, if every leaf decays,
    \(\beta_1 \le \beta_2\), \(\varepsilon = 0\) and the rate never grows but has an infinite sum: where the iterates
    converge, they do so to a KKT point of the loss under \(\|x\|_\infty \le 1/\lambda\) (arXiv:2404.04454).
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
        """Both means at zero."""
        return adam_init(params)

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """One step of the iteration."""
        params = required(self, grads, "params", params)

        def step(g, m, v, decaying, eta, decay, *scalars):
            d, m, v = adam_direction(g, m, v, *scalars)
            return -eta * (d + decay * decaying), m, v

        trees = (grads, state.m, state.v, zero_unmasked(self, params))
        update, m, v = lift(step, trees, self.rate(state), self.weight_decay, *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
