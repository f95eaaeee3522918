"""The Momentum rule (heavy ball), and its Nesterov variant."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import (
    check_choice,
    check_flag,
    check_fraction,
    check_nonnegative,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar

_ACCUMULATION_MODES = ("gradients", "steps", "average")


class MomentumState(NamedTuple):
    """The number of updates made, and the momentum (`m`)."""

    count: Scalar
    m: Params


class Momentum(Rule):
    r"""Momentum (heavy ball): a step along an exponentially weighted sum of the past gradients.

    \[ m_t = \beta\, m_{t-1} + c_t\, g_t, \qquad x_{t+1} = x_t - s_t\, m_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: \(\beta\) in [0, 1), the momentum, or a schedule.
    - `accumulate`: what is summed. "gradients": \(c_t = 1,\ s_t = \eta_t\); "steps": \(c_t = \eta_t,\ s_t = 1\);
      "average": \(c_t = 1-\beta,\ s_t = \eta_t\). With a constant gradient the step grows to \(\eta/(1-\beta)\) times
      the gradient, for "average" to \(\eta\) times. With a constant learning rate the first two are the same sequence,
      and so is the third with \(\eta/(1-\beta)\). Where the learning rate changes, "steps" keeps the old rates in its
      sum.
    - `nesterov`: whether to step along \(c_t\, g_t + \beta\, m_t\) instead of \(m_t\). This is Nesterov's method with
      one gradient per step, written for the points where it takes the gradients.

    **Needs** a gradient.
    **Guarantee** On an \(L\)-smooth \(\mu\)-strongly convex quadratic with \(\kappa = L/\mu\),
    \(\beta = \bigl(\tfrac{\sqrt\kappa-1}{\sqrt\kappa+1}\bigr)^2\), \(\eta = \bigl(\tfrac{2}{\sqrt L+\sqrt\mu}\bigr)^2\)
    and no `nesterov`, the value falls like \(t^2\beta^t\): about \(\sqrt\kappa\) times fewer steps than gradient
    descent. On a convex function that is not quadratic the same settings can cycle forever (arXiv:1408.3595).
    **References** Polyak 1964, doi:10.1016/0041-5553(64)90137-5; Bengio, Boulanger-Lewandowski & Pascanu 2012,
    arXiv:1212.0901 (`nesterov`).
    """

    learning_rate: Any = real_field()
    beta: Any = real_field(0.9)
    accumulate: str = static_field("gradients")
    nesterov: bool = static_field(False)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "beta")
        check_choice(self, "accumulate", _ACCUMULATION_MODES)
        check_flag(self, "nesterov")

    def init(self, params: Params) -> MomentumState:
        """Returns a state with zero momentum."""
        return MomentumState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MomentumState, params: Params | None = None, **extra
    ) -> tuple[Params, MomentumState]:
        """Returns the update of one step, and the new state."""
        eta, beta = self.rate(state), at(self.beta, state.count)
        c, s = {"gradients": (1.0, eta), "steps": (eta, 1.0), "average": (1 - beta, eta)}[self.accumulate]

        def step(g, m, beta, c, s):
            m = beta * m + c * g
            return -s * (c * g + beta * m if self.nesterov else m), m

        update, m = lift(step, (grads, state.m), beta, c, s)
        return update, MomentumState(state.count + 1, m)

    def rate(self, state: MomentumState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
