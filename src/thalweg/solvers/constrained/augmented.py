r"""The augmented Lagrangian as a problem without equality and inequality constraints."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import replace, static_field
from thalweg.core.kkt import Multipliers
from thalweg.core.objective import SMOOTH_ORACLES, Objective, Residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import add, common_dtype, dot, ravel
from thalweg.core.types import Evaluation, Key, Params, Scalar, real

_OPEN = -1.0
"""What stands for the violation of an open side of a bound: never active, and its gradient is 0, not NaN."""


class Terms(NamedTuple):
    """What an evaluation of the augmented Lagrangian is made of: the smooth part's evaluation and the constraints."""

    smooth: Evaluation
    equality: jax.Array
    inequality: jax.Array


class Augmented(Objective):
    r"""\(f + \lambda'h + \tfrac\rho2\|h\|^2 + \tfrac1{2\rho}\sum_i\bigl(\max(0, \mu_i+\rho c_i)^2 - \mu_i^2\bigr)\).

    Powell, Hestenes and Rockafellar's function; \(c\) with the bounds appended where `bounds_as_inequalities`. Its
    gradient is that of the Lagrangian at the estimates \(\lambda + \rho h\) and \(\max(0, \mu + \rho c)\). The
    evaluation's `aux` holds its `Terms`, by which a change of the multipliers costs no evaluation of the smooth part.
    """

    problem: Problem
    shift: Multipliers
    penalty: Any
    data: Any
    frozen: Any
    key: Any
    model_state: Any
    bounds_as_inequalities: bool = static_field(False)

    @property
    def offers(self) -> frozenset[Oracle]:
        """A differentiable function, whatever the smooth part is made of."""
        return SMOOTH_ORACLES

    @property
    def smooth(self) -> Objective:
        """The problem's own smooth part."""
        return self.problem.objective.on(self.data, self.key, self.model_state)

    def value(self, x: Params) -> Scalar:
        """The value at `x`: the smooth part and the terms of the constraints."""
        return self.total(self.smooth.value(x), *constraints(self.problem, x, self.bounds_as_inequalities))

    def evaluate(self, x: Params) -> Evaluation:
        """Value and gradient: one of the smooth part, one pass of the constraints and back."""
        return self.around(self.smooth.evaluate(x))

    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The smooth part is not asked again where the earlier evaluation was one of such a function around it."""
        if isinstance(seen.aux, Terms):
            return self.around(seen.aux.smooth), 0
        return self.evaluate(seen.x), 1

    def start(self, key: Key) -> Params:
        """The smooth part's own start, where it has one."""
        return self.smooth.start(key)

    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """The residual with the gradient at `x`."""
        return residual(x, self.evaluate(x).grad)

    def around(self, smooth: Evaluation) -> Evaluation:
        """The evaluation of the whole at a point where the smooth part was evaluated."""
        x = smooth.x
        (h, c), back = jax.vjp(lambda x: constraints(self.problem, x, self.bounds_as_inequalities), x)
        pull = back(tuple(estimates(self.shift, self.penalty, h, c)))[0]
        value = self.total(smooth.value, h, c)
        return Evaluation(x, value, add(smooth.grad, pull), None, Terms(smooth, h, c))

    def total(self, value: Scalar, h: jax.Array, c: jax.Array) -> Scalar:
        """The smooth part's value and the terms of the constraints, added up."""
        rho, mu = jnp.asarray(self.penalty).astype(c.dtype), self.shift.inequality
        penalties = jnp.where(mu + rho * c <= 0, -0.5 * mu**2 / rho, (mu + 0.5 * rho * c) * c)  # so that NaN stays NaN
        pair = dot(self.shift.equality, h) + 0.5 * jnp.asarray(self.penalty).astype(h.dtype) * dot(h, h)
        dtype = common_dtype((value, h, c))
        return value.astype(dtype) + pair.astype(dtype) + jnp.sum(penalties).astype(dtype)


def augmented(problem: Problem, shift: Multipliers, penalty: Scalar, bounds_as_inequalities: bool) -> Problem:
    """The problem with its constraints (and its bounds, if `bounds_as_inequalities`) moved into the objective."""
    own = problem.objective
    bound = (own.data, own.frozen, own.key, own.model_state)
    objective = Augmented(problem, shift, penalty, *bound, bounds_as_inequalities)
    bounds = None if bounds_as_inequalities else problem.bounds
    return replace(problem, objective=objective, bounds=bounds, equality=None, inequality=None)


def constraints(problem: Problem, x: Params, bounds_as_inequalities: bool) -> tuple[jax.Array, jax.Array]:
    """`h` and `c`, the latter with `lower - x` and `x - upper` appended if `bounds_as_inequalities`."""
    h, c = problem.equalities(x), problem.inequalities(x)
    if not bounds_as_inequalities:
        return h, c
    assert problem.bounds is not None
    flat, sides = ravel(x), []
    for limit, sign in zip(problem.bounds.sides(x), (1, -1), strict=True):
        closed = jnp.isfinite(limit)
        sides.append(jnp.where(closed, sign * (jnp.where(closed, limit, 0) - flat), _OPEN))
    dtype = common_dtype((c, flat))
    return h, jnp.concatenate([part.astype(dtype) for part in (c, *sides)])


def estimates(shift: Multipliers, penalty: Scalar, h: jax.Array, c: jax.Array) -> Multipliers:
    r"""First-order estimates \(\lambda + \rho h\), \(\max(0, \mu + \rho c)\)."""
    rho = jnp.asarray(penalty)
    return Multipliers(
        shift.equality + rho.astype(h.dtype) * h, jnp.maximum(shift.inequality + rho.astype(c.dtype) * c, 0)
    )


def violation(shift: Multipliers, penalty: Scalar, h: jax.Array, c: jax.Array) -> Scalar:
    r"""\(\max(|h|, |\max(c, -\mu/\rho)|)\): 0 exactly where the estimates equal the multipliers."""
    idle = jnp.maximum(c, -shift.inequality / jnp.asarray(penalty).astype(c.dtype))
    return jnp.maximum(real(jnp.max(jnp.abs(h), initial=0)), real(jnp.max(jnp.abs(idle), initial=0)))
