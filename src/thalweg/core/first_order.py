"""The solver around a rule: one gradient at `x_t`, one update."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.optimality import residual
from thalweg.core.oracle import CHANGING, Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import Rule, as_rule, needs_of
from thalweg.core.solver import Solver
from thalweg.core.tree import add
from thalweg.core.types import Evaluation, Info, Key, Params, Scalar, Step, make_info


class FirstOrderState(NamedTuple):
    """The iterate and the rule's state."""

    x: Params
    rule: Any


class FirstOrder(Solver):
    r"""\(x_{t+1} = x_t + \mathrm{rule}(\nabla f(x_t))\).

    - `rule`: any `Rule`.
    - `norms`: measure the gradient's largest entry on batches too (about 7 % of a small model's step).

    **Needs** a gradient. **Takes** batches, random keys and model state.
    """

    takes: ClassVar[frozenset[Oracle]] = CHANGING
    proxy: ClassVar[bool] = False
    rule: Rule
    norms: bool = eqx.field(default=False, static=True)

    @property
    def needs(self) -> frozenset[Oracle]:
        """A gradient, and what the rule needs beside it."""
        return frozenset({Oracle.GRADIENT}) | needs_of(self.rule)

    def init(self, problem: Problem, x: Params) -> FirstOrderState:
        """The start and the rule's own initial state."""
        return FirstOrderState(x, self.rule.init(x))

    def step(self, problem: Problem, state: FirstOrderState, key: Key) -> Step:
        """One step takes one gradient at `x_t` and makes one update."""
        x = state.x
        seen = problem.objective.evaluate(x)
        update, rule = ask(self.rule, state.rule, x, seen, problem, key)
        info = gradient_info(problem, seen, self.rule.rate(state.rule), problem.whole or self.norms)
        return Step(FirstOrderState(add(x, update), rule), info, seen)

    def rebase(self, problem: Problem, state: FirstOrderState) -> FirstOrderState:
        """The rule has learned from gradients of one function: it starts afresh."""
        return self.init(problem, state.x)


def ask(rule: Rule, state: Any, x: Params, seen: Evaluation, problem: Problem, key: Key) -> tuple[Params, Any]:
    """A rule's update of `x` and its new state, with all that a rule may ask for (Optax's names)."""
    extra = {"value": seen.value, "grad": seen.grad, "value_fn": problem.objective.value, "key": key}
    return rule.update(seen.grad, state, x, **extra)


def gradient_info(problem: Problem, seen: Evaluation, rate: Scalar, measure: bool) -> Info:
    """What one gradient tells about the point where it was taken; its residual only where it is to be measured."""
    return make_info(
        seen.value,
        residual(problem, seen.x, seen.grad) if measure else jnp.nan,
        step_size=rate,
        evals=problem.evals(value=1, gradient=1),
        aux=seen.aux,
    )


def as_solver(method: Any) -> Any:
    """A rule, or an Optax transformation, as the solver around it; anything else as it is."""
    method = as_rule(method)
    return FirstOrder(method) if isinstance(method, Rule) else method


def solver_field(default: Any = ...) -> Any:
    """A dataclass field for the method inside a method: a solver, or a rule."""
    return eqx.field(converter=as_solver, **({} if default is ... else {"default": default}))
