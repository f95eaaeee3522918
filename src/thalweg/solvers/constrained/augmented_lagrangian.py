"""The method of multipliers: any unconstrained method made one for constraints."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, check_real, fail, real_field, static_field
from thalweg.core.first_order import solver_field
from thalweg.core.kkt import Multipliers, System, kkt_residual
from thalweg.core.objective import SMOOTH_ORACLES
from thalweg.core.oracle import CHANGING, Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.tree import axpy, common_dtype, dot, max_abs, ravel, select, subtract, unravel
from thalweg.core.types import Evals, Evaluation, Info, Key, Params, Scalar, Step, make_info, real
from thalweg.solvers.constrained.augmented import Terms, augmented, constraints, estimates, violation
from thalweg.solvers.descent.lbfgs import LBFGS

RUNNING = Status.RUNNING.value
_MAX_MULTIPLIER = 1e12
"""Multipliers are kept below this: where they run away, no finite ones exist and the penalty must do the work."""
_LARGE_GROWTH = 1e4
"""A violation that withstands a penalty grown by this factor may be one that cannot be removed."""
_SLOW_DECREASE = 0.5
"""A violation that is still this fraction of what it was is not tending to zero."""
_STATIONARY_FRACTION = 1e-3
"""The fraction of the squared violation that the steepest move of the size of `x` must promise to be worth trying."""
_NEARLY_FEASIBLE = 1e-6
"""A ray whose points are this far from feasible, relative to their size, is one along which the problem falls."""
_PATIENCE = 2
"""Subproblems in a row whose first step fails before the run ends."""


class Outer(NamedTuple):
    """What the outer iteration knows: a subproblem, and how well it is to be solved.

    - `shift`: the multipliers of the augmented Lagrangian; `penalty`: its rho.
    - `residual`, `target`: a subproblem ends at the first, and its violation passes at the second.
    - `violation`: at the end of the last subproblem. `steps`: made in this one. `failures`: subproblems in a row that
      brought no step.
    """

    shift: Multipliers
    penalty: Scalar
    residual: Scalar
    target: Scalar
    violation: Scalar
    steps: Scalar
    failures: Scalar


class AugmentedState(NamedTuple):
    """Where the method of multipliers stands.

    - `inner`: the inner method's state. `outer`: that of the outer iteration.
    - `multipliers`: the estimates at the point that was last reported.
    """

    inner: Any
    outer: Outer
    multipliers: Multipliers

    @property
    def x(self) -> Params:
        """The inner method's iterate."""
        return self.inner.x


class AugmentedLagrangian(Solver):
    r"""Equality and inequality constraints for any method that minimizes a smooth function.

    The inner method minimizes
    \[ L_\rho(x) = f + \lambda'h + \tfrac\rho2\|h\|^2
       + \tfrac1{2\rho}\textstyle\sum_i\bigl(\max(0, \mu_i + \rho c_i)^2 - \mu_i^2\bigr) \]
    until its residual is at most \(\omega_k\). If \(\max(|h|, |\max(c, -\mu/\rho)|) \le \eta_k\) then
    \[ \lambda \leftarrow \lambda + \rho h, \qquad \mu \leftarrow \max(0, \mu + \rho c), \qquad
       \omega_{k+1} = \omega_k/\rho, \quad \eta_{k+1} = \eta_k/\rho^{0.9}, \]
    else \(\rho\) grows by `growth` and \(\omega, \eta\) start again at \(1/\rho\) and \(1/\rho^{0.1}\). One step is one
    step of the inner method; an update of the multipliers is part of the step that ends a subproblem.

    - `inner`: a rule, or a solver that needs no more than values, gradients and Hessian products of the same function
      at every step. Bounds and sets stay with an inner solver that takes them; else bounds become inequalities.
    - `penalty`: the first \(\rho\) > 1. `growth`: > 1. `inner_steps`: most steps of a subproblem, >= 1.

    What is reported at \(x_t\): \(f\), and the residual of the KKT system with the estimates \(\lambda + \rho h\) and
    \(\max(0, \mu + \rho c)\), so that only a KKT point converges. `result.state.state.multipliers` holds them. A run
    ends with INFEASIBLE where the violation no longer falls under a large penalty and is itself stationary.

    **Needs** what `inner` needs, and the same function at every step. **Takes** equality, inequality, bounds, and what
    `inner` takes.
    **Guarantee** Limit points of convergent subproblems are KKT points or stationary for the violation; near a KKT
    point that satisfies the second-order sufficient conditions and has independent active gradients \(\rho\) stays
    bounded and the violation falls by \(\rho^{0.9}\) at least a subproblem.
    **References** Hestenes 1969, doi:10.1007/BF00927673; Rockafellar 1973, doi:10.1007/BF00934777; Conn, Gould & Toint
    1991, doi:10.1137/0728030; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, algorithm 17.4.
    """

    inner: Any = solver_field(LBFGS())
    penalty: float = real_field(10.0)
    growth: float = real_field(10.0)
    inner_steps: int = static_field(1000)

    def __check_init__(self):
        if not isinstance(self.inner, Solver):
            fail(self, "inner", self.inner, "a solver or a rule, e.g. tw.LBFGS() or tw.Adam(0.01)")
        if lacking := self.inner.needs - SMOOTH_ORACLES - {Oracle.WHOLE}:
            names = ", ".join(sorted(oracle.value for oracle in lacking))
            fail(self, "inner", self.inner, f"a method for any smooth function; this one needs {names}")
        check_positive(self, "penalty")
        check_real(self, "penalty", 1.0, jnp.inf, "a finite number > 1", open_low=True, open_high=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number > 1", open_low=True, open_high=True)
        check_count(self, "inner_steps")

    @property
    def needs(self) -> frozenset[Oracle]:
        """A subproblem ends by its residual, which takes the same function at every step."""
        return self.inner.needs | {Oracle.WHOLE}

    @property
    def takes(self) -> frozenset[Oracle]:
        """The inner method's parts, as far as they leave the function what it is, and the constraints."""
        own = {Oracle.EQUALITY, Oracle.INEQUALITY, Oracle.BOUNDS}
        return ((self.inner.takes - CHANGING) | own) - self.needs

    @property
    def proxy(self) -> bool:
        """Whether the inner method, on its own where there are no constraints, measures elsewhere than at `x_t`."""
        return self.inner.proxy

    def bounds_as_inequalities(self, problem: Problem) -> bool:
        """Whether bounds become inequalities."""
        return problem.bounds is not None and Oracle.BOUNDS not in self.inner.takes | self.inner.needs

    def subproblem(self, problem: Problem, outer: Outer) -> Problem:
        """The problem that the inner method sees: the user's own where there is nothing to penalize."""
        if not _free_of_terms(outer.shift):
            return augmented(problem, outer.shift, outer.penalty, self.bounds_as_inequalities(problem))
        return problem

    def init(self, problem: Problem, x: Params) -> AugmentedState:
        """The inner method at the start of the first subproblem, whose multipliers are 0."""
        h, c = jax.eval_shape(lambda x: constraints(problem, x, self.bounds_as_inequalities(problem)), x)
        shift = Multipliers(jnp.zeros(h.shape, h.dtype), jnp.zeros(c.shape, c.dtype))
        none = jnp.asarray(0, jnp.int32)
        penalty = real(self.penalty)
        outer = Outer(shift, penalty, 1 / penalty, penalty**-0.1, real(jnp.inf), none, none)
        own = c.shape[0] - self.bounds_as_inequalities(problem) * 2 * ravel(x).size
        first = Multipliers(shift.equality, shift.inequality[:own])
        return AugmentedState(self.inner.init(self.subproblem(problem, outer), x), outer, first)

    def step(self, problem: Problem, state: AugmentedState, key: Key) -> Step:
        """One step of the inner method, and an outer update if it ends the subproblem."""
        outer, sub = state.outer, self.subproblem(problem, state.outer)
        inner, info, seen = self.inner.step(sub, state.inner, key)
        if _free_of_terms(outer.shift):
            return Step(state._replace(inner=inner), info, seen)
        if seen is None:  # a method that evaluates elsewhere: what is reported must hold at x
            seen = sub.objective.evaluate(state.inner.x)
            spent = problem.evals(value=1, gradient=1)
            info = info._replace(evals=Evals(*(a + b for a, b in zip(info.evals, spent, strict=True))))
        steps = outer.steps + 1
        ended = (info.optimality <= outer.residual) | (steps >= self.inner_steps) | (info.status != RUNNING)
        after = self.update(outer, seen.aux, info)
        after = jax.tree.map(lambda a, b: jnp.where(ended, a, b), after, outer._replace(steps=steps))
        runaway = info.status == Status.DIVERGED.value
        base = select(runaway, state.inner, inner)
        new = jax.lax.cond(ended, lambda: self.restart(problem, after, base), lambda: inner)
        passed = violation(outer.shift, outer.penalty, *seen.aux[1:]) <= outer.target
        withstands = ended & ~passed & (outer.penalty >= _LARGE_GROWTH * self.penalty)
        withstands = withstands & (after.violation >= _SLOW_DECREASE * outer.violation)
        infeasible = jax.lax.cond(
            withstands, lambda: self.is_stationary_infeasible(problem, seen), lambda: jnp.asarray(False)
        )
        off = jax.lax.cond(runaway, lambda: self.violation_at(problem, outer, inner.x), lambda: real(jnp.inf))
        # Along a ray that hardly leaves the feasible set the problem itself falls without end.
        along = off <= jnp.maximum(outer.target, _NEARLY_FEASIBLE * real(max_abs(inner.x)))
        fallen = runaway & (along | (after.penalty == outer.penalty))
        status = jnp.where(after.failures >= _PATIENCE, Status.SEARCH_FAILED.value, RUNNING)
        status = jnp.where(fallen, Status.DIVERGED.value, status)
        status = jnp.where(infeasible, Status.INFEASIBLE.value, status)
        return self.report(problem, AugmentedState(new, after, state.multipliers), seen, (outer, info, status))

    def update(self, outer: Outer, terms: Terms, info: Info) -> Outer:
        """The next subproblem: better multipliers where the violation fell enough, else a larger penalty.

        A subproblem that is unbounded below needs the larger penalty too.
        """
        worst = violation(outer.shift, outer.penalty, *terms[1:])
        good = (worst <= outer.target) & (info.status != Status.DIVERGED.value)
        most = float(jnp.finfo(terms.equality.dtype).eps) ** -0.75
        grown = jnp.minimum(self.growth * outer.penalty, jnp.maximum(most, outer.penalty))
        least = real(1 / most)
        better = jax.tree.map(
            lambda y: jnp.clip(y, -_MAX_MULTIPLIER, _MAX_MULTIPLIER),
            estimates(outer.shift, outer.penalty, *terms[1:]),
        )
        failed = (info.status != RUNNING) & (outer.steps == 0)
        return Outer(
            jax.tree.map(lambda a, b: jnp.where(good, a, b), better, outer.shift),
            jnp.where(good, outer.penalty, grown),
            jnp.maximum(jnp.where(good, outer.residual / outer.penalty, 1 / grown), least),
            jnp.maximum(jnp.where(good, outer.target / outer.penalty**0.9, grown**-0.1), least),
            worst,
            jnp.zeros_like(outer.steps),
            jnp.where(failed, outer.failures + 1, 0),
        )

    def restart(self, problem: Problem, outer: Outer, inner: Any) -> Any:
        """The inner method at the start of a subproblem; what it knows of the smooth part is not asked again."""
        new = self.inner.rebase(self.subproblem(problem, outer), inner)
        return jax.tree.map(lambda a, b: a.astype(b.dtype), new, inner)

    def rebase(self, problem: Problem, state: AugmentedState) -> AugmentedState:
        """Multipliers and penalty are those of one function: both start afresh."""
        return self.init(problem, state.x)

    def violation_at(self, problem: Problem, outer: Outer, x: Params) -> Scalar:
        """The violation of a subproblem's constraints at `x`."""
        h, c = constraints(problem, x, self.bounds_as_inequalities(problem))
        return violation(outer.shift, outer.penalty, h, c)

    def is_stationary_infeasible(self, problem: Problem, seen: Evaluation) -> Scalar:
        r"""Whether no move of the size of `x` promises to lower \(\tfrac12\|v\|^2\), \(v\) the violation."""
        (h, c), back = jax.vjp(lambda x: constraints(problem, x, self.bounds_as_inequalities(problem)), seen.x)
        over = jnp.maximum(c, 0)
        slope = back((h, over))[0]
        moved = axpy(-1.0, slope, seen.x)
        moved = moved if self.bounds_as_inequalities(problem) else problem.project(moved)
        reach = jnp.maximum(real(max_abs(seen.x)), 1.0)
        promised = reach * real(jnp.sum(jnp.abs(ravel(subtract(moved, seen.x)))))
        return promised <= _STATIONARY_FRACTION * (real(dot(h, h)) + real(dot(over, over)))

    def report(self, problem: Problem, state: AugmentedState, seen: Evaluation, facts: tuple) -> Step:
        """The step with a report of what is true at `x_t`, in terms of the user's problem."""
        outer, info, status = facts
        smooth, h, c = seen.aux
        y, own = estimates(outer.shift, outer.penalty, h, c), state.multipliers.inequality.size
        lagrangian = seen.grad
        if self.bounds_as_inequalities(problem):  # bounds are judged by the projected gradient, whoever keeps them
            lower, upper = jnp.split(y.inequality[own:], 2)
            push = unravel((upper - lower).astype(common_dtype(seen.x)), seen.grad)
            lagrangian = subtract(seen.grad, push)
        mine = Multipliers(y.equality, y.inequality[:own])
        system = System(seen.x, lagrangian, h, c[:own])
        penalty = problem.nonsmooth.value(seen.x)
        violated = [real(max_abs(h)), real(max_abs(jnp.maximum(c, 0)))]
        violated += [real(part.violation(seen.x)) for part in (problem.nonsmooth, problem.bounds) if part is not None]
        reported = make_info(
            real(smooth.value) + real(penalty),
            kkt_residual(problem, system, mine),
            jnp.max(jnp.stack(violated)),
            info.step_size,
            evals=info.evals,
            status=status,
            aux=smooth.aux,
            extra={**(info.extra or {}), "penalty": outer.penalty},
        )
        return Step(state._replace(multipliers=mine), reported, smooth)


def _free_of_terms(shift: Multipliers) -> bool:
    """Whether there is no constraint to penalize."""
    return shift.equality.size + shift.inequality.size == 0
