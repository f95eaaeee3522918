"""A direction, a step along it: the standard iterative form."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Interruptible, Solver
from thalweg.core.status import Status
from thalweg.core.tree import add, axpy, dot, max_abs, scaled, select, subtract
from thalweg.core.types import Evaluation, Key, Params, Scalar, ScalarLike, Step, is_number, make_info, real, together
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray, Resumable
from thalweg.solvers.descent.direction import Direction, Heading, Taken


class DescentState(NamedTuple):
    """Where a method with a line search stands.

    - `seen`: the evaluation at `x`. `direction`, `search`: the memories of direction and search.
    - `failed`: whether the last search found nothing, so that this step goes along the negative gradient.
    - `unreported`: evaluations that no `Info` has counted yet.
    """

    seen: Evaluation
    direction: Any
    search: Any
    failed: Scalar
    unreported: Scalar

    @property
    def x(self) -> Params:
        """The iterate, at which `seen` was evaluated."""
        return self.seen.x


class DescentProgress(NamedTuple):
    """A step between two evaluations.

    - `heading`: where it goes. `search`: how far the search is. `done`: whether it is over.
    """

    heading: Heading
    search: Any
    done: Scalar


class Descent(Solver, Interruptible):
    r"""\(x_{t+1} = x_t + s_t d_t\): a direction \(d_t\) and a line search for \(s_t\).

    After a failed search direction and search forget what they learned, and the next step tries the negative gradient;
    if that fails as well the run ends with SEARCH_FAILED at the best point.

    Where the direction meets negative curvature \(-c\), `Info.optimality` is
    \(\max\{\|\nabla f\|_\infty, c\}\): a saddle is not converged. `extra["curvature"]` is the smallest Rayleigh
    quotient met, NaN where none was looked for; where the function is maximized, the largest one of the function.

    - `direction`: a `Direction`. `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step, and what the direction needs.
    """

    proxy: ClassVar[bool] = False
    direction: Direction
    search: LineSearch

    def __check_init__(self):
        if not isinstance(self.direction, Direction):
            raise TypeError(f"Descent(direction={self.direction!r}): give a Direction, e.g. tw.descent.Steepest().")
        if not isinstance(self.search, LineSearch):
            raise TypeError(f"search={self.search!r}: give a LineSearch, e.g. tw.line_search.StrongWolfe().")

    @property
    def needs(self) -> frozenset[Oracle]:
        """The value and gradient found by one step's search are the next step's start."""
        return frozenset({Oracle.GRADIENT, Oracle.WHOLE}) | self.direction.needs

    @property
    def takes(self) -> frozenset[Oracle]:
        """The parts of a problem that the direction does not ignore."""
        return self.direction.takes

    def init(self, problem: Problem, x: Params) -> DescentState:
        """The start takes one evaluation, at the nearest point within the bounds."""
        seen = problem.objective.evaluate(problem.project(x))
        memories = self.direction.init(seen.x), self.search.init(seen)
        return DescentState(seen, *memories, jnp.asarray(False), jnp.asarray(1, jnp.int32))

    def step(self, problem: Problem, state: DescentState, key: Key) -> Step:
        """One step takes a direction and searches along it."""
        heading = self.head(problem, state, key)
        ray = ray_along(problem, state.seen, heading)
        return self.arrive(problem, state, heading, self.search(ray, state.search))

    def rebase(self, problem: Problem, state: DescentState) -> DescentState:
        """Direction and search keep what they learned; a search that fails there forgets it."""
        seen, count = problem.objective.revisit(state.seen)
        return state._replace(seen=seen, unreported=jnp.asarray(count, jnp.int32))

    @property
    def interruptible(self) -> bool:
        """Whether the search can rest between two evaluations."""
        return isinstance(self.search, Resumable)

    def open(self, problem: Problem, state: DescentState, key: Key) -> DescentProgress:
        """The direction, and the search before its first trial."""
        heading, search = self.head(problem, state, key), _resumable(self.search)
        progress = search.open(ray_along(problem, state.seen, heading), state.search)
        known = heading.state is state.direction  # then it need not be kept twice
        return DescentProgress(heading._replace(state=None) if known else heading, progress, progress.done)

    def turn(self, problem: Problem, state: DescentState, progress: DescentProgress) -> DescentProgress:
        """One trial of the search; a search that is done holds still."""
        ray = ray_along(problem, state.seen, progress.heading)
        after = _resumable(self.search).turn(ray, state.search, progress.search)
        after = select(progress.done, progress.search, after)
        return DescentProgress(progress.heading, after, after.done)

    def close(self, problem: Problem, state: DescentState, progress: DescentProgress) -> Step:
        """The step that the search found."""
        heading = progress.heading
        heading = heading if heading.state is not None else heading._replace(state=state.direction)
        found = _resumable(self.search).close(ray_along(problem, state.seen, heading), state.search, progress.search)
        return self.arrive(problem, state, heading, found)

    def head(self, problem: Problem, state: DescentState, key: Key) -> Heading:
        """The direction to go: downhill after a failed search, from a unit step on."""
        heading = self.direction(problem, state.seen, state.direction, key)

        def retried(number: ScalarLike, instead: float) -> ScalarLike:
            return number if is_number(number) else jnp.where(state.failed, instead, number)

        return heading._replace(
            d=select(state.failed, downhill(problem, state.seen), heading.d),
            initial_step=retried(heading.initial_step, 1.0),
            max_step=retried(heading.max_step, jnp.inf),
            directional_curvature=retried(heading.directional_curvature, 0.0),
        )

    def arrive(self, problem: Problem, state: DescentState, heading: Heading, found: Found) -> Step:
        """The step to the point that a search found, and the report of where it started."""
        here, ray = state.seen, ray_along(problem, state.seen, heading)
        there = found.phi.seen
        taken = Taken(here, there, heading.d, found.step, subtract(there.x, here.x), _gradient_change(there, here))
        ok = found.ok & (ray.start.slope < 0) & (max_abs(taken.dx) > 0)
        new = DescentState(
            select(ok, there, here),
            select(ok, self.direction.update(heading.state, taken), self.direction.init(here.x)),
            select(ok, found.memory, self.search.init(here)),
            ~ok,
            jnp.asarray(0, jnp.int32),
        )
        optimality = self.optimality(problem, here, heading)
        count = found.count + heading.evals + state.unreported
        looks = not is_number(heading.curvature)
        info = make_info(
            here.value,
            optimality,
            problem.infeasibility(here.x),
            found.step,
            evals=together(problem.evals(value=count, gradient=count, hvp=heading.hvps + found.hvps), heading.sampled),
            status=verdict(ok | (optimality == 0), found.unbounded, state.failed | heading.plain),
            aux=here.aux,
            extra={"curvature": problem.sign * heading.curvature} if looks else None,
        )
        return Step(new, info, here)

    def optimality(self, problem: Problem, here: Evaluation, heading: Heading) -> Scalar:
        """The first-order residual, or the negative curvature that was met where that is larger."""
        optimality = real(residual(problem, here.x, here.grad))
        if is_number(heading.curvature):
            return optimality
        return jnp.maximum(optimality, jnp.where(heading.negative, -real(heading.curvature), 0))


def _resumable(search: LineSearch) -> Resumable:
    """The search, seen as one that can rest."""
    assert isinstance(search, Resumable)
    return search


def ray_along(problem: Problem, here: Evaluation, heading: Heading) -> Ray:
    """The objective from `here` in a direction, with the fall that it promises over a unit step as its slope."""
    d, dtype = heading.d, here.value.dtype

    def at(t: Scalar) -> Phi:
        # A ray ends at the bounds; the projection, nothing without them, takes back what rounding puts outside.
        there = problem.objective.evaluate(problem.project(axpy(t, d, here.x)))
        return Phi(there.value, dot(there.grad, d).astype(dtype), there)

    def curvature() -> Scalar:
        return dot(problem.objective.hvp(here.x, d), d).astype(dtype)

    slope = dot(here.grad, d).astype(dtype) + 0.5 * jnp.asarray(heading.directional_curvature, dtype)
    initial_step, max_step = (jnp.asarray(step, dtype) for step in (heading.initial_step, heading.max_step))
    return Ray(at, Phi(here.value, slope, here), initial_step, max_step, curvature, problem.sign)


def downhill(problem: Problem, here: Evaluation) -> Params:
    """The negative gradient with its largest entry scaled to 1: a step of unknown scale must not decide the run.

    Within bounds the largest entry that can move; the step is projected.
    """
    unit = unit_descent(here.grad)
    if problem.bounds is None:
        return unit
    toward = subtract(problem.project(add(here.x, unit)), here.x)
    moving = jax.tree.map(lambda g, step: jnp.where(step != 0, g, 0), here.grad, toward)
    return subtract(problem.project(axpy(-1 / scale(moving), here.grad, here.x)), here.x)


def unit_descent(grad: Params) -> Params:
    """The negative gradient with its largest entry scaled to 1."""
    return scaled(-1 / scale(grad), grad)


def scale(tree: Params) -> Scalar:
    """The largest absolute entry; 1 where all are 0."""
    peak = max_abs(tree)
    return jnp.where(peak > 0, peak, 1)


def _gradient_change(there: Evaluation, here: Evaluation) -> Params:
    """The change of the gradient from one point to another."""
    return jax.tree.map(jnp.subtract, there.grad, here.grad)


def verdict(ok: Scalar, unbounded: Scalar, last: Scalar) -> Scalar:
    """A failed search is the end only if it was the last thing to try."""
    failed = jnp.where(~ok & last, Status.SEARCH_FAILED.value, Status.RUNNING.value)
    return jnp.where(unbounded, Status.DIVERGED.value, failed)
