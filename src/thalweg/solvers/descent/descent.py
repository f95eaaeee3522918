"""A direction, a step along it: the standard iterative form."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.tree import axpy, dot, max_abs, select, subtract
from thalweg.core.types import Evaluation, Key, Params, Scalar, State, Step, make_info
from thalweg.line_search.protocol import LineSearch, Phi


class Direction(eqx.Module):
    """Where to go from a point: gradient descent, quasi-Newton and Newton methods differ only here."""

    @abc.abstractmethod
    def init(self, x: Params) -> State:
        """What is known of the curvature before the first step; `()` for a direction without memory."""

    @abc.abstractmethod
    def __call__(self, problem: Problem, x: Params, grad: Params, state: State) -> Params:
        """The direction at `x`."""

    @abc.abstractmethod
    def update(self, state: State, dx: Params, dgrad: Params) -> State:
        """The state after a step `dx` that changed the gradient by `dgrad`."""


class DescentState(NamedTuple):
    """The evaluation at `x`, the direction's memory, whether it is still empty, and evaluations not yet reported."""

    seen: Evaluation
    direction: Any
    fresh: Scalar
    unreported: Scalar

    @property
    def x(self) -> Params:
        """The iterate."""
        return self.seen.x


class Descent(Solver):
    r"""\(x_{t+1} = x_t + s_t d_t\): a direction \(d_t\) and a line search for \(s_t\).

    After a failed search the direction forgets what it learned and tries once more; if that fails as well the run
    ends with SEARCH_FAILED at the best point.

    - `direction`: a `Direction`. `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step.
    """

    direction: Direction
    search: LineSearch

    @property
    def needs(self) -> frozenset[Oracle]:
        """The value and gradient found by one step's search are the next step's start."""
        return frozenset({Oracle.GRADIENT, Oracle.WHOLE})

    @property
    def takes(self) -> frozenset[Oracle]:
        """Nothing beyond a smooth function."""
        return frozenset()

    @property
    def proxy(self) -> bool:
        """The gradient is taken at `x_t`."""
        return False

    def init(self, problem: Problem, x: Params) -> DescentState:
        """One evaluation."""
        seen = problem.objective.evaluate(x)
        return DescentState(seen, self.direction.init(x), jnp.asarray(True), jnp.asarray(1, jnp.int32))

    def step(self, problem: Problem, state: DescentState, key: Key) -> Step:
        """One direction, one search."""
        here = state.seen
        d = self.direction(problem, here.x, here.grad, state.direction)

        def phi(t):
            there = problem.objective.evaluate(axpy(t, d, here.x))
            return Phi(there.value, dot(there.grad, d).astype(there.value.dtype), there)

        phi0 = Phi(here.value, dot(here.grad, d).astype(here.value.dtype), here)
        found = self.search(phi, phi0, jnp.ones((), here.value.dtype))
        there = found.phi.seen
        dx, dgrad = subtract(there.x, here.x), jax.tree.map(jnp.subtract, there.grad, here.grad)
        ok = found.ok & (phi0.slope < 0) & (max_abs(dx) > 0)
        memory = self.direction.update(state.direction, dx, dgrad)
        blank = self.direction.init(here.x)
        new = DescentState(
            select(ok, there, here),
            select(ok, memory, blank),
            ~ok | jnp.asarray(not jax.tree.leaves(blank)),
            jnp.asarray(0, jnp.int32),
        )
        optimality = residual(problem, here.x, here.grad)
        count = found.count + state.unreported
        info = make_info(
            here.value,
            optimality,
            step_size=found.step,
            evals=problem.evals(value=count, gradient=count),
            status=verdict(ok | (optimality == 0), found.unbounded, state.fresh),
            aux=here.aux,
        )
        return Step(new, info, here)


def verdict(ok: Scalar, unbounded: Scalar, fresh: Scalar) -> Scalar:
    """A failed search is the end only if the direction had nothing to forget."""
    failed = jnp.where(~ok & fresh, Status.SEARCH_FAILED.value, Status.RUNNING.value)
    return jnp.where(unbounded, Status.DIVERGED.value, failed)
