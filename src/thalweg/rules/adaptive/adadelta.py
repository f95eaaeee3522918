"""The AdaDelta rule."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.adaptive.root import check_eps, root_mean_square_divisor


class AdaDeltaState(NamedTuple):
    """The number of updates made, and the running means of squared gradients (`v`) and of squared steps (`d`)."""

    count: Scalar
    v: Params
    d: Params


class AdaDelta(Rule):
    r"""AdaDelta: RMSProp with the size of its own recent steps as the learning rate, so that the units agree.

    \[ v_t = \beta v_{t-1} + (1-\beta)\,g_t^2, \qquad
       s_t = \frac{\sqrt{d_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}}\, g_t, \qquad
       d_t = \beta d_{t-1} + (1-\beta)\,s_t^2, \qquad x_{t+1} = x_t - \eta_t s_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. The paper has no such factor, which corresponds to 1.
    - `beta`: the paper's \(\rho\), in [0, 1), or a schedule. The default of Optax and PyTorch is 0.9.
    - `eps`: \(\varepsilon\) > 0. The first steps have the length \(\sqrt\varepsilon\) and grow from there, so `eps`
      decides how fast the rule starts and how far from a minimum it stays.
    - `eps_place`: "inside" both roots as above (the paper, Optax, PyTorch), or "outside",
      \(\sqrt{\cdot} + \varepsilon\).

    **Needs** a gradient.
    **Guarantee** None in general. Where gradients and steps are far below \(\sqrt\varepsilon\), both roots equal
    \(\sqrt\varepsilon\), and the rule is gradient descent with the learning rate \(\eta\), with its rates of
    convergence.
    **References** Zeiler 2012, arXiv:1212.5701.
    """

    learning_rate: Any = real_field(1.0)
    beta: Any = real_field(0.95)
    eps: float = real_field(1e-6)
    eps_place: str = static_field("inside")

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "beta")
        check_eps(self)

    def init(self, params: Params) -> AdaDeltaState:
        """Returns a state with both running means at zero."""
        return AdaDeltaState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(
        self, grads: Params, state: AdaDeltaState, params: Params | None = None, **extra
    ) -> tuple[Params, AdaDeltaState]:
        """Returns the update of one step, and the new state."""

        def step(g, v, d, eta, beta, eps):
            v = beta * v + (1 - beta) * g**2
            s = root_mean_square_divisor(d, eps, self.eps_place) / root_mean_square_divisor(v, eps, self.eps_place) * g
            return -eta * s, v, beta * d + (1 - beta) * s**2

        scalars = self.rate(state), at(self.beta, state.count), self.eps
        update, v, d = lift(step, (grads, state.v, state.d), *scalars)
        return update, AdaDeltaState(state.count + 1, v, d)

    def rate(self, state: AdaDeltaState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
