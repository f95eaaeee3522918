"""Spectral projected gradient descent on a box or a set."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, check_real, fail, real_field, static_field
from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.tree import axpy, dot, max_abs, select, subtract
from thalweg.core.types import Evaluation, Key, Params, Scalar, Step, make_info, real
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.barzilai_borwein import inverse_curvatures
from thalweg.line_search.protocol import Phi, Ray
from thalweg.solvers.descent.descent import verdict


class ProjectedState(NamedTuple):
    """Where projected gradient descent stands.

    - `seen`: the evaluation at `x`. `values`: the last values. `step_size`: the next one, 0 where it is not known yet.
    - `fresh`: whether nothing was learned since the last start.
    - `unreported`: evaluations that no `Info` has counted yet.
    """

    seen: Evaluation
    values: jax.Array
    step_size: Scalar
    fresh: Scalar
    unreported: Scalar

    @property
    def x(self) -> Params:
        """The iterate, a point of the set."""
        return self.seen.x


class ProjectedGradient(Solver):
    r"""Gradient descent on a box or a set, with the step size of Barzilai and Borwein (SPG).

    \[ d_k = P\bigl(x_k - s_k\nabla f(x_k)\bigr) - x_k, \qquad x_{k+1} = P(x_k + t_k d_k), \qquad
       s_{k+1} = \frac{\langle\Delta x, \Delta x\rangle}{\langle\Delta x, \Delta\nabla f\rangle}, \]

    \(P\) the projection, \(t_k = 1, \tfrac12, \tfrac14, \dots\) the first with
    \(f(x_{k+1}) \le \max_{j<m} f(x_{k-j}) + \alpha\,t_k\langle\nabla f(x_k), d_k\rangle\). Such a search lets the value
    rise now and then, which these step sizes need to be fast. A search that fails is tried once more from a fresh
    start; then the run ends at its best point. A start outside is projected first.

    - `memory`: \(m\) >= 1, values that the search compares with; 1 lets none rise.
    - `step_size`: largest entry of the very first step, > 0.
    - `min_step`, `max_step`: limits of \(s\), 0 < `min_step` < `max_step`; `max_step` also serves where the curvature
      along the last step is not positive.
    - `search`: a `Backtracking`; a search that takes steps beyond 1 would leave the set.

    **Needs** a gradient and the same function at every step. **Takes** bounds and a set (`tw.Simplex`, `tw.L2Ball`);
    without either it is the method of Raydan 1997.
    **Guarantee** Limit points are stationary for a closed convex set and a continuously differentiable \(f\); on a
    strongly convex quadratic linear, in the mean far faster than with a fixed step.
    **References** Birgin, Martínez & Raydan 2000, doi:10.1137/S1052623497330963 (algorithm SPG2); Barzilai & Borwein
    1988, doi:10.1093/imanum/8.1.141.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.GRADIENT, Oracle.WHOLE})
    takes: ClassVar[frozenset[Oracle]] = frozenset({Oracle.BOUNDS, Oracle.SET})
    proxy: ClassVar[bool] = False
    memory: int = static_field(10)
    step_size: float = real_field(1.0)
    min_step: float = real_field(1e-10)
    max_step: float = real_field(1e10)
    search: Backtracking = Backtracking()

    def __check_init__(self):
        check_count(self, "memory")
        check_positive(self, "step_size", "min_step", "max_step")
        if isinstance(self.min_step, float) and isinstance(self.max_step, float):
            check_real(self, "max_step", self.min_step, jnp.inf, f"> min_step={self.min_step}", open_low=True)
        if not isinstance(self.search, Backtracking):
            fail(
                self,
                "search",
                self.search,
                "a tw.line_search.Backtracking(...): longer steps than 1 would leave the set",
            )

    def init(self, problem: Problem, x: Params) -> ProjectedState:
        """The start takes one evaluation, at the nearest point of the set."""
        seen = problem.objective.evaluate(problem.project(x))
        one = jnp.asarray(1, jnp.int32)
        return ProjectedState(seen, self.started(seen.value), real(0.0), jnp.asarray(True), one)

    def rebase(self, problem: Problem, state: ProjectedState) -> ProjectedState:
        """Values and step size are those of one function: both start afresh."""
        seen, count = problem.objective.revisit(state.seen)
        return ProjectedState(
            seen, self.started(seen.value), real(0.0), jnp.asarray(True), jnp.asarray(count, jnp.int32)
        )

    def started(self, value: Scalar) -> jax.Array:
        """A memory of values that holds one."""
        return jnp.full(self.memory, -jnp.inf, value.dtype).at[-1].set(value)

    def step(self, problem: Problem, state: ProjectedState, key: Key) -> Step:
        """One step projects a gradient step and searches along the way to it."""
        here, optimality = state.seen, residual(problem, state.seen.x, state.seen.grad)
        first = self.step_size / jnp.where(optimality > 0, optimality, 1)
        s = jnp.clip(jnp.where(state.step_size > 0, state.step_size, first), self.min_step, self.max_step)
        d = subtract(problem.project(axpy(-s, here.grad, here.x)), here.x)

        def phi(t):
            there = problem.objective.evaluate(problem.project(axpy(t, d, here.x)))
            return Phi(there.value, dot(there.grad, d).astype(there.value.dtype), there)

        # Armijo's search against the largest of the last values is the search that lets the value rise.
        phi0 = Phi(jnp.max(state.values), dot(here.grad, d).astype(here.value.dtype), here)
        one = jnp.ones((), here.value.dtype)
        found = self.search(Ray(phi, phi0, one, one, lambda: jnp.nan * one, problem.sign), ())
        there = found.phi.seen
        dx, dgrad = subtract(there.x, here.x), jax.tree.map(jnp.subtract, there.grad, here.grad)
        ok = found.ok & (phi0.slope < 0) & (max_abs(dx) > 0)
        new = ProjectedState(
            select(ok, there, here),
            jnp.where(ok, jnp.append(state.values[1:], there.value), self.started(here.value)),
            jnp.where(ok, self.spectral(dx, dgrad), real(0.0)),
            ~ok,
            jnp.asarray(0, jnp.int32),
        )
        count = found.count + state.unreported
        info = make_info(
            here.value,
            optimality,
            problem.infeasibility(here.x),
            s,
            evals=problem.evals(value=count, gradient=count, prox=1 + found.count if problem.constrained else 0),
            status=verdict(ok | (optimality == 0), found.unbounded, state.fresh),
            aux=here.aux,
        )
        return Step(new, info, here)

    def spectral(self, dx: Params, dgrad: Params) -> Scalar:
        """The inverse of the curvature along the last step, within the limits."""
        return jnp.clip(inverse_curvatures(dx, dgrad, self.max_step)[0], self.min_step, self.max_step)
