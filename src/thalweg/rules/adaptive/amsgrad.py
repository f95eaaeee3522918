"""The AMSGrad rule."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import adam_scalars


class AMSGradState(NamedTuple):
    """The number of updates made, the means of the gradient and its square, and the largest corrected mean square."""

    count: Scalar
    m: Params
    v: Params
    largest: Params


class AMSGrad(Rule):
    r"""AMSGrad: Adam that divides by the largest mean square so far, so that no coordinate's learning rate grows again.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\,g_t^2, \]
    \[ u_t = \max\!\left(u_{t-1},\ \frac{v_t}{1-\beta_2^t}\right), \qquad
       x_{t+1} = x_t - \eta_t\, \frac{m_t/(1-\beta_1^t)}{\sqrt{u_t} + \varepsilon}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root.

    The maximum is taken over the bias-corrected mean square, as in Optax. PyTorch's `amsgrad` takes it over \(v_t\) and
    divides by \(1-\beta_2^t\) afterwards, so its divisor can still shrink while that factor grows. The paper has no
    bias correction.

    **Needs** a gradient.
    **Guarantee** On convex functions with bounded gradients and iterates the regret after \(T\) steps is
    \(O(\sqrt T)\), for the paper's form with rates that fall like \(1/\sqrt t\) and \(\beta_{1,t}\) that tends to 0.
    On a smooth, strongly convex function with a small constant learning rate the divisor becomes constant, so the value
    falls linearly.
    **References** Reddi, Kale & Kumar 2018, arXiv:1904.09237.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps")
        check_fraction(self, "b1", "b2")

    def init(self, params: Params) -> AMSGradState:
        """Returns a state with all running means at zero."""
        return AMSGradState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params), zeros_like(params))

    def update(
        self, grads: Params, state: AMSGradState, params: Params | None = None, **extra
    ) -> tuple[Params, AMSGradState]:
        """Returns the update of one step, and the new state."""

        def step(g, m, v, u, eta, b1, b2, eps, c1, c2):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            u = jnp.maximum(u, v / c2)
            return -eta * (m / c1) / (jnp.sqrt(u) + eps), m, v, u

        scalars = self.rate(state), *adam_scalars(self, state)
        update, m, v, largest = lift(step, (grads, state.m, state.v, state.largest), *scalars)
        return update, AMSGradState(state.count + 1, m, v, largest)

    def rate(self, state: AMSGradState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
