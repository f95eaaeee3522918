"""A model that is trusted within a radius."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_nonnegative, check_positive, check_real, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.tree import add, max_abs, norm, ravel, select, subtract, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar, ScalarLike, Step, make_info
from thalweg.solvers.trust_region.steihaug import CG, SteihaugCG, beginning, search
from thalweg.solvers.trust_region.subproblem import Proposal, Subproblem

GOOD, POOR = 0.75, 0.25
"""Ratios above and below which the radius changes (Conn, Gould & Toint 2000, algorithm 6.1.1)."""
CLEAR = 100
"""Roundings of the largest curvature below which a negative one may be rounding itself."""


class TrustRegionState(NamedTuple):
    """The evaluation at `x`, the radius, and evaluations not yet reported."""

    seen: Evaluation
    radius: Scalar
    unreported: Scalar

    @property
    def x(self) -> Params:
        """The iterate."""
        return self.seen.x


class TrustRegion(Solver):
    r"""\(x_{t+1} = x_t + p_t\), where \(p_t\) minimises a quadratic model of \(f\) within the radius \(\Delta_t\).

    \[ m_t(p) = f(x_t) + \nabla f(x_t)'p + \tfrac12\, p'\nabla^2 f(x_t)\,p, \qquad
       \rho_t = \frac{f(x_t) - f(x_t + p_t)}{m_t(0) - m_t(p_t)}. \]

    The step is taken if \(\rho_t >\) `accept`. The radius becomes `shrink`\(\,\|p_t\|\) if \(\rho_t < 1/4\), and grows
    by `growth` if \(\rho_t > 3/4\) and the step reached the boundary. Where differences of \(f\) drown in rounding the
    mean slope \(\tfrac12(\nabla f(x_t) + \nabla f(x_t+p_t))'p_t\) takes their place. A trial point that is not finite
    shrinks the radius.

    Where the largest entry of the gradient is at most `check`, a random search looks for negative curvature. A
    direction \(d\) with \(d'\nabla^2 f\,d < 0\) is followed downhill to the boundary if the model falls more along it,
    and `Info.optimality` is then \(\max\{\|\nabla f\|_\infty, -d'\nabla^2 f\,d/d'd\}\): a saddle is left, and never
    taken for a minimum. `extra["curvature"]` is the smallest quotient met there, NaN where nothing was searched.

    - `subproblem`: a `Subproblem`, by default `tw.SteihaugCG()`, which needs products with the Hessian only.
    - `radius`: the first one, > 0, in units of `max(1, |x_0|)`. `max_radius`: > 0, may be infinite.
    - `accept`: in [0, 1/4). `shrink`: in (0, 1). `growth`: >= 1.
    - `check`: >= 0; 0 searches only where the gradient is exactly zero. `max_search`: products of a search, >= 1.

    **Needs** a gradient, Hessian-vector products and the same function at every step.
    **Guarantee** With a step at least as good as the Cauchy point, \(\nabla f(x_t) \to 0\) for \(f\) bounded below with
    a bounded Hessian; superlinear near a minimum with a positive definite Hessian.
    **References** Conn, Gould & Toint 2000, doi:10.1137/1.9780898719857; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, algorithm 4.1; Royer, O'Neill & Wright 2020, doi:10.1007/s10107-019-01362-7 (search).
    """

    subproblem: Subproblem = SteihaugCG()
    radius: float = real_field(1.0)
    max_radius: float = real_field(jnp.inf)
    accept: float = real_field(0.1)
    shrink: float = real_field(0.5)
    growth: float = real_field(2.0)
    check: float = real_field(1e-2)
    max_search: int = static_field(200)

    def __check_init__(self):
        if not isinstance(self.subproblem, Subproblem):
            raise TypeError(f"TrustRegion(subproblem={self.subproblem!r}): give a Subproblem, e.g. tw.SteihaugCG().")
        check_positive(self, "radius")
        check_real(self, "max_radius", 0.0, jnp.inf, "> 0", open_low=True)
        check_real(self, "accept", 0.0, POOR, "in [0, 1/4)", open_high=True)
        check_real(self, "shrink", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number >= 1", open_high=True)
        check_nonnegative(self, "check")
        check_count(self, "max_search")

    @property
    def needs(self) -> frozenset[Oracle]:
        """The evaluation at the accepted point is the next step's start."""
        return frozenset({Oracle.GRADIENT, Oracle.HVP, Oracle.WHOLE})

    @property
    def takes(self) -> frozenset[Oracle]:
        """Nothing beyond a smooth function."""
        return frozenset()

    @property
    def proxy(self) -> bool:
        """Gradient and curvature are those at `x_t`."""
        return False

    def init(self, problem: Problem, x: Params) -> TrustRegionState:
        """One evaluation."""
        peak = max_abs(x)
        radius = jnp.minimum(cast(self.radius, peak) * jnp.maximum(peak, 1), cast(self.max_radius, peak))
        return TrustRegionState(problem.objective.evaluate(x), radius, jnp.asarray(1, jnp.int32))

    def step(self, problem: Problem, state: TrustRegionState, key: Key) -> Step:
        """One model, one trial point."""
        here = state.seen
        grad, hessian = ravel(here.grad), problem.objective.hessian(here.x)

        def hvp(v: jax.Array) -> jax.Array:
            return ravel(hessian(unravel(v, here.x)))

        met = self.look(grad, hvp, key)
        plan = better(self.subproblem(grad, hvp, state.radius), escape(grad, met, state.radius))
        there = problem.objective.evaluate(add(here.x, unravel(plan.step, here.x)))
        # A step too short to move a digit is a poor one, whatever its slope promises: the search must end.
        moved = max_abs(subtract(there.x, here.x)) > 0
        ratio = jnp.where(moved, agreement(here, there, plan), -jnp.inf)
        taken = ratio > cast(self.accept, ratio)
        radius = self.resize(state.radius, ratio, plan)

        optimality = jnp.maximum(max_abs(grad), jnp.where(is_negative(met), -met.lowest, 0))
        stuck = ~taken & (optimality > 0) & (radius <= rounding(here.x, self.radius))
        count = 2 + state.unreported  # the trial point and the linearisation here
        info = make_info(
            here.value,
            optimality,
            step_size=state.radius,
            evals=problem.evals(value=count, gradient=count, hvp=plan.hvps),
            status=jnp.where(stuck, Status.SEARCH_FAILED.value, Status.RUNNING.value),
            aux=here.aux,
            extra={"curvature": jnp.where(met.hvps > 0, plan.curvature, jnp.nan)},
        )
        new = TrustRegionState(select(taken, there, here), radius, jnp.asarray(0, jnp.int32))
        return Step(new, info, here)

    def look(self, grad: jax.Array, hvp: Callable[[jax.Array], jax.Array], key: Key) -> CG:
        """A search for negative curvature, where the gradient is small."""
        nothing = beginning(grad)
        return jax.lax.cond(
            max_abs(grad) <= cast(self.check, grad), lambda: search(key, hvp, grad, self.max_search), lambda: nothing
        )

    def resize(self, radius: Scalar, ratio: Scalar, plan: Proposal) -> Scalar:
        """The next radius; a step of zero says nothing about it."""
        length = norm(plan.step)
        shrunk = jnp.where(length > 0, cast(self.shrink, radius) * length, radius)
        grown = jnp.minimum(cast(self.growth, radius) * radius, cast(self.max_radius, radius))
        kept = jnp.where((ratio > GOOD) & plan.on_boundary, grown, radius)
        return jnp.where(ratio >= POOR, kept, shrunk)


def cast(number: ScalarLike, like: jax.Array) -> jax.Array:
    """A hyperparameter in the dtype of the variables."""
    return jnp.asarray(number).astype(like.dtype)


def is_negative(met: CG) -> Scalar:
    """Whether negative curvature was met beyond rounding."""
    return met.lowest < -CLEAR * float(jnp.finfo(met.lowest.dtype).eps) * met.largest


def escape(grad: jax.Array, met: CG, radius: Scalar) -> Proposal:
    """Along the direction of negative curvature to the boundary, downhill; without one it promises nothing."""
    along = met.d / jnp.where(is_negative(met), norm(met.d), 1)
    t = jnp.where(along @ grad > 0, -radius, radius)
    decrease = jnp.where(is_negative(met), -t * (along @ grad) - 0.5 * t**2 * met.lowest, -jnp.inf)
    return Proposal(t * along, decrease, met.hvps, met.lowest, jnp.asarray(True))


def better(a: Proposal, b: Proposal) -> Proposal:
    """The one that promises more, at the cost of both."""
    chosen = select(b.decrease > a.decrease, b, a)
    return chosen._replace(hvps=a.hvps + b.hvps, curvature=jnp.minimum(a.curvature, b.curvature))


def agreement(here: Evaluation, there: Evaluation, plan: Proposal) -> Scalar:
    """Actual over predicted decrease; minus infinity where the trial point is not finite.

    Where both are below the rounding of the value the mean slope along the step is the better measure.
    """
    dtype = plan.decrease.dtype
    actual = (here.value - there.value).astype(dtype)
    noise = (4 * jnp.finfo(here.value.dtype).eps * jnp.abs(here.value)).astype(dtype)
    by_slope = -0.5 * (ravel(here.grad) + ravel(there.grad)) @ plan.step
    drowned = (plan.decrease <= noise) & (jnp.abs(actual) <= noise)
    usable = jnp.isfinite(there.value) & jnp.isfinite(max_abs(there.grad)) | (there.value == -jnp.inf)
    # Rounding can turn the promise itself around where curvatures of very different sizes meet.
    return jnp.where(usable & (plan.decrease > 0), jnp.where(drowned, by_slope, actual) / plan.decrease, -jnp.inf)


def rounding(x: Params, first: ScalarLike) -> Scalar:
    """A radius at or below this cannot move `x`; at zero, the square of it in units of the first radius."""
    peak = max_abs(x)
    eps = float(jnp.finfo(peak.dtype).eps)
    return eps * jnp.maximum(peak, eps * cast(first, peak))
