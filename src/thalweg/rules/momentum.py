"""Momentum."""

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

ACCUMULATION_MODES = ("gradients", "steps", "average")


class MomentumState(NamedTuple):
    """Updates made, and what was accumulated."""

    count: Scalar
    m: Params


class Momentum(Rule):
    r"""Heavy ball: a step along a fading memory of the gradients.

    \[ m_t = \beta\, m_{t-1} + c_t\, g_t, \qquad x_{t+1} = x_t - s_t\, m_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: \(\beta\) in [0, 1), what is kept of the memory,
      or a schedule.
    - `accumulate`: "gradients": \(c_t = 1,\ s_t = \eta_t\); "steps": \(c_t = \eta_t,\ s_t = 1\); "average":
      \(c_t = 1-\beta,\ s_t = \eta_t\). While the gradient stays the same the step grows to \(\eta/(1-\beta)\) times the
      gradient, for "average" to \(\eta\) times. With a constant rate the first two are one sequence, and the third is,
      with \(\eta/(1-\beta)\); where the rate changes, "steps" remembers the old rates.
    - `nesterov`: step along \(c_t\, g_t + \beta\, m_t\) instead of \(m_t\). This is Nesterov's method written with one
      gradient a step, at the point that looks ahead.

    **Needs** a gradient.
    **Guarantee** On an \(L\)-smooth \(\mu\)-strongly convex quadratic with \(\kappa = L/\mu\),
    \(\beta = \bigl(\tfrac{\sqrt\kappa-1}{\sqrt\kappa+1}\bigr)^2\), \(\eta = \bigl(\tfrac{2}{\sqrt L+\sqrt\mu}\bigr)^2\)
    and no `nesterov`, the value falls like \(t^2\beta^t\): about \(\sqrt\kappa\) times fewer steps than gradient
    descent. On a convex function that is not quadratic the same numbers can cycle for ever (arXiv:1408.3595).
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
        check_choice(self, "accumulate", ACCUMULATION_MODES)
        check_flag(self, "nesterov")

    def init(self, params: Params) -> MomentumState:
        """Nothing accumulated."""
        return MomentumState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MomentumState, params: Params | None = None, **extra
    ) -> tuple[Params, MomentumState]:
        """One step of the iteration."""
        eta, beta = self.rate(state), at(self.beta, state.count)
        c, s = {"gradients": (1.0, eta), "steps": (eta, 1.0), "average": (1 - beta, eta)}[self.accumulate]

        def step(g, m, beta, c, s):
            m = beta * m + c * g
            return -s * (c * g + beta * m if self.nesterov else m), m

        update, m = lift(step, (grads, state.m), beta, c, s)
        return update, MomentumState(state.count + 1, m)

    def rate(self, state: MomentumState) -> Scalar:
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
