"""Nesterov's method with the gradient at the point that looks ahead."""

from typing import ClassVar

import jax.numpy as jnp

from thalweg.core.first_order import FirstOrderState, ask, gradient_info
from thalweg.core.oracle import CHANGING, Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import Rule, check_rule, needs_of, rule_field
from thalweg.core.solver import Solver
from thalweg.core.tree import add, zeros_like
from thalweg.core.types import Evaluation, Key, Params, Step


class Nesterov(Solver):
    r"""A rule whose gradient is taken where its memory alone would lead.

    \[ y_t = x_t + \mathrm{rule}(0), \qquad x_{t+1} = x_t + \mathrm{rule}(\nabla f(y_t)). \]

    With `tw.Momentum` this is \(y_t = x_t - \eta\beta m_{t-1}\), \(m_t = \beta m_{t-1} + \nabla f(y_t)\),
    \(x_{t+1} = x_t - \eta m_t\): Nesterov's accelerated gradient. `Momentum(..., nesterov=True)` runs through the
    points \(y_t\) of the same sequence. A rule without memory looks nowhere ahead.

    - `rule`: a `Rule` with memory, for instance `tw.Momentum(learning_rate, beta)`.

    The trace describes \(y_t\), where the gradient was taken; the result is \(x_t\).

    **Needs** a gradient. **Takes** batches, random keys and model state.
    **Guarantee** With `Momentum(1 / L, beta)` on an \(L\)-smooth \(\mu\)-strongly convex quadratic,
    \(\kappa = L/\mu\) and \(\beta = \tfrac{\sqrt\kappa-1}{\sqrt\kappa+1}\), the value falls like
    \(t^2(1 - 1/\sqrt\kappa)^{2t}\).
    **References** Nesterov 1983 (Soviet Math. Dokl. 27); Sutskever et al. 2013,
    proceedings.mlr.press/v28/sutskever13.html; Nesterov 2018, doi:10.1007/978-3-319-91578-4, section 2.2.
    """

    takes: ClassVar[frozenset[Oracle]] = CHANGING
    proxy: ClassVar[bool] = True
    rule: Rule = rule_field()

    def __check_init__(self):
        check_rule(self)

    @property
    def needs(self) -> frozenset[Oracle]:
        """A gradient, and what the rule needs beside it."""
        return frozenset({Oracle.GRADIENT}) | needs_of(self.rule)

    def init(self, problem: Problem, x: Params) -> FirstOrderState:
        """The start and the rule's own initial state."""
        return FirstOrderState(x, self.rule.init(x))

    def step(self, problem: Problem, state: FirstOrderState, key: Key) -> Step:
        """One step looks ahead, takes the gradient there, and goes from `x_t`."""
        x = state.x
        nothing = Evaluation(x, jnp.zeros(()), zeros_like(x))
        drift, _ = ask(self.rule, state.rule, x, nothing, problem, key)
        seen = problem.objective.evaluate(add(x, drift))
        update, rule = ask(self.rule, state.rule, x, seen, problem, key)
        info = gradient_info(problem, seen, self.rule.rate(state.rule), problem.whole)
        return Step(FirstOrderState(add(x, update), rule), info, seen)

    def rebase(self, problem: Problem, state: FirstOrderState) -> FirstOrderState:
        """The rule has learned from gradients of one function: it starts afresh."""
        return self.init(problem, state.x)
