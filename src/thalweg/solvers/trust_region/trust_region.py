"""A model that is trusted within a radius."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_nonnegative, check_positive, check_real, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.tree import add, common_dtype, max_abs, norm, select, subtract, unravel
from thalweg.core.types import Key, Params, Scalar, ScalarLike, State, Step, make_info, together
from thalweg.solvers.descent.truncated_cg import CG, cg_start, is_negative, negative_curvature_search
from thalweg.solvers.trust_region.model import LocalModel, QuadraticModel, TaylorModel, TrialPoint
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.subproblem import Proposal, Subproblem

_GOOD_RATIO, _POOR_RATIO = 0.75, 0.25
"""Ratios above and below which the radius changes (Conn, Gould & Toint 2000, algorithm 6.1.1)."""


class TrustRegionState(NamedTuple):
    """Where a trust region stands.

    - `x`: the iterate. `radius`: that of the next step, 0 before the first. `memory`: what the model remembers.
    """

    x: Params
    radius: Scalar
    memory: State


class TrustRegion(Solver):
    r"""\(x_{t+1} = x_t + p_t\), where \(p_t\) minimizes a quadratic model of \(f\) within the radius \(\Delta_t\).

    \[ m_t(p) = f(x_t) + \nabla f(x_t)'p + \tfrac12\, p'H_t\,p, \qquad
       \rho_t = \frac{f(x_t) - f(x_t + p_t)}{m_t(0) - m_t(p_t)}. \]

    The step is taken if \(\rho_t >\) `accept`. The radius becomes `shrink`\(\,\|p_t\|\) if \(\rho_t < 1/4\), and grows
    by `growth` if \(\rho_t > 3/4\) and the step reached the boundary. Where differences of \(f\) drown in rounding the
    mean slope \(\tfrac12(\nabla f(x_t) + \nabla f(x_t+p_t))'p_t\) takes their place. A trial point that is not finite
    shrinks the radius.

    Where \(H_t\) is the Hessian, negative curvature is looked for: a subproblem that decomposes the matrix knows the
    lowest eigenvalue; beside any other a random search runs where the largest entry of the gradient is at most
    `check`. A direction \(d\) with \(d'H_t d < 0\) is followed downhill to the boundary if the model falls more along
    it, and `Info.optimality` is then \(\max\{\|\nabla f\|_\infty, -d'H_t d/d'd\}\): a saddle is left, and never taken
    for a minimum. `extra["curvature"]` is the smallest quotient met, NaN where nothing was looked for.

    - `subproblem`: a `Subproblem`, by default `tw.trust_region.SteihaugCG()`, which needs products with \(H_t\) only.
    - `model`: a `QuadraticModel`, by default `tw.trust_region.TaylorModel()`: \(H_t = \nabla^2 f(x_t)\).
    - `radius`: the first one, > 0, in units of `max(1, |x_0|)`. `max_radius`: > 0, may be infinite.
    - `accept`: in [0, 1/4). `shrink`: in (0, 1). `growth`: >= 1.
    - `check`: >= 0; 0 searches only where the gradient is exactly zero. `max_search`: products of a search, >= 1.

    **Needs** a gradient, the same function at every step, and what the model needs.
    **Guarantee** With a step at least as good as the Cauchy point, \(\nabla f(x_t) \to 0\) for \(f\) bounded below with
    a bounded Hessian; superlinear near a minimum with a positive definite Hessian.
    **References** Conn, Gould & Toint 2000, doi:10.1137/1.9780898719857; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, algorithm 4.1; Royer, O'Neill & Wright 2020, doi:10.1007/s10107-019-01362-7 (search).
    """

    takes: ClassVar[frozenset[Oracle]] = frozenset()
    proxy: ClassVar[bool] = False
    subproblem: Subproblem = SteihaugCG()
    radius: float = real_field(1.0)
    max_radius: float = real_field(jnp.inf)
    accept: float = real_field(0.1)
    shrink: float = real_field(0.25)
    growth: float = real_field(2.0)
    check: float = real_field(1e-2)
    max_search: int = static_field(200)
    model: QuadraticModel = TaylorModel()

    def __check_init__(self):
        if not isinstance(self.subproblem, Subproblem):
            raise TypeError(
                f"TrustRegion(subproblem={self.subproblem!r}): give a Subproblem, e.g. tw.trust_region.SteihaugCG()."
            )
        if not isinstance(self.model, QuadraticModel):
            raise TypeError(
                f"TrustRegion(model={self.model!r}): give a QuadraticModel, e.g. tw.trust_region.TaylorModel()."
            )
        check_positive(self, "radius")
        check_real(self, "max_radius", 0.0, jnp.inf, "> 0", open_low=True)
        check_real(self, "accept", 0.0, _POOR_RATIO, "in [0, 1/4)", open_high=True)
        check_real(self, "shrink", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number >= 1", open_high=True)
        check_nonnegative(self, "check")
        check_count(self, "max_search")

    @property
    def needs(self) -> frozenset[Oracle]:
        """Radius and ratio compare values of one function at different steps."""
        return frozenset({Oracle.GRADIENT, Oracle.WHOLE}) | self.model.needs

    def init(self, problem: Problem, x: Params) -> TrustRegionState:
        """The first step finds the radius, because it has the model in hand."""
        return TrustRegionState(x, jnp.zeros((), common_dtype(x)), self.model.init(problem, x))

    def step(self, problem: Problem, state: TrustRegionState, key: Key) -> Step:
        """One step builds one model and looks at one trial point."""
        here = self.model.at(problem, state.x, state.memory)
        radius = self.begun(state.radius, here)
        plan, curvature = self.plan(here, radius, key)
        p = plan.step / here.scale
        x = add(state.x, unravel(p, state.x))
        trial = self.model.trial(problem, here, state.x, x)
        # A step too short to move a digit is a poor one, whatever its slope promises: the search must end.
        moved = max_abs(subtract(x, state.x)) > 0
        ratio = jnp.where(moved, _agreement(here, trial, p, plan.decrease), -jnp.inf)
        taken = ratio > _cast(self.accept, ratio)

        optimality = jnp.maximum(max_abs(here.grad), jnp.where(plan.negative, -plan.curvature, 0))
        short = _cast(self.shrink, p) * norm(p) <= _smallest_radius(state.x, self.radius)
        info = make_info(
            here.value,
            optimality,
            step_size=radius,
            evals=together(here.evals, trial.evals, problem.evals(hvp=here.product * plan.hvps)),
            status=jnp.where(~taken & (optimality > 0) & short, Status.SEARCH_FAILED.value, Status.RUNNING.value),
            aux=here.aux,
            extra={"curvature": problem.sign * curvature} if self.model.exact_hessian else None,
        )
        new = TrustRegionState(
            select(taken, x, state.x), self.resize(radius, ratio, plan), select(taken, trial.taken, trial.refused)
        )
        return Step(new, info)

    def rebase(self, problem: Problem, state: TrustRegionState) -> TrustRegionState:
        """Radius and model are those of one function: both start afresh."""
        return self.init(problem, state.x)

    def begun(self, radius: Scalar, here: LocalModel) -> Scalar:
        """The radius of this step: the first one where there was none."""
        length = jnp.minimum(
            _cast(self.radius, radius) * here.length.astype(radius.dtype), _cast(self.max_radius, radius)
        )
        return jnp.where(radius > 0, radius, self.subproblem.radius(length, here.quadratic.grad))

    def plan(self, here: LocalModel, radius: Scalar, key: Key) -> tuple[Proposal, Scalar]:
        """The step, and the lowest curvature known at this point, NaN where nothing was looked for."""
        plan = self.subproblem(here.quadratic, radius)
        if self.subproblem.spectral or not self.model.exact_hessian:
            return plan, plan.curvature
        met = self.look(here.grad, here.quadratic.times, key)
        plan = _more_promising(plan, _escape(here.grad, met, radius))
        looked = jnp.where(met.hvps > 0, plan.curvature, jnp.nan)
        return plan._replace(curvature=met.lowest, negative=is_negative(met)), looked

    def look(self, grad: jax.Array, hvp: Callable[[jax.Array], jax.Array], key: Key) -> CG:
        """What a search for negative curvature met; nothing where the gradient is large."""
        nothing = cg_start(grad)
        return jax.lax.cond(
            max_abs(grad) <= _cast(self.check, grad),
            lambda: negative_curvature_search(key, hvp, grad, self.max_search),
            lambda: nothing,
        )

    def resize(self, radius: Scalar, ratio: Scalar, plan: Proposal) -> Scalar:
        """The next radius; a step of zero says nothing about it."""
        shrunk = jnp.where(plan.reach > 0, _cast(self.shrink, radius) * plan.reach, radius)
        grown = jnp.minimum(_cast(self.growth, radius) * radius, _cast(self.max_radius, radius))
        kept = jnp.where((ratio > _GOOD_RATIO) & plan.on_boundary, grown, radius)
        return jnp.where(ratio >= _POOR_RATIO, kept, shrunk)


def _cast(number: ScalarLike, like: jax.Array) -> jax.Array:
    """A hyperparameter in the dtype of the variables."""
    return jnp.asarray(number).astype(like.dtype)


def _escape(grad: jax.Array, met: CG, radius: Scalar) -> Proposal:
    """Along the direction of negative curvature to the boundary, downhill; without one it promises nothing."""
    along = met.d / jnp.where(is_negative(met), norm(met.d), 1)
    t = jnp.where(along @ grad > 0, -radius, radius)
    decrease = jnp.where(is_negative(met), -t * (along @ grad) - 0.5 * t**2 * met.lowest, -jnp.inf)
    return Proposal(t * along, decrease, met.hvps, met.lowest, is_negative(met), jnp.asarray(True), radius)


def _more_promising(a: Proposal, b: Proposal) -> Proposal:
    """The proposal that promises more, at the cost of both."""
    chosen = select(b.decrease > a.decrease, b, a._replace(hvps=jnp.asarray(a.hvps, b.hvps.dtype)))
    return chosen._replace(hvps=a.hvps + b.hvps, curvature=jnp.minimum(a.curvature, b.curvature))


def _agreement(here: LocalModel, trial: TrialPoint, p: jax.Array, promised: Scalar) -> Scalar:
    """Actual over predicted decrease; minus infinity where the trial point is not finite.

    Where both are below the rounding of the value the mean slope along the step is the better measure.
    """
    dtype = promised.dtype
    actual = (here.value - trial.value).astype(dtype)
    noise = (4 * jnp.finfo(here.value.dtype).eps * jnp.abs(here.value)).astype(dtype)
    by_slope = -0.5 * (here.grad @ p + trial.slope.astype(dtype))
    drowned = (promised <= noise) & (jnp.abs(actual) <= noise)
    usable = jnp.isfinite(trial.value) & jnp.isfinite(trial.slope) | (trial.value == -jnp.inf)
    # Rounding can turn the promise itself around where curvatures of very different sizes meet.
    return jnp.where(usable & (promised > 0), jnp.where(drowned, by_slope, actual) / promised, -jnp.inf)


def _smallest_radius(x: Params, first: ScalarLike) -> Scalar:
    """A radius at or below this cannot move `x`; at zero, the square of it in units of the first radius."""
    peak = max_abs(x)
    eps = float(jnp.finfo(peak.dtype).eps)
    return eps * jnp.maximum(peak, eps * _cast(first, peak))
