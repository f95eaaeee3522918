"""The minimum along the ray."""

from typing import NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, replace, static_field
from thalweg.core.types import Evaluation, Scalar, State
from thalweg.line_search.protocol import Found, LineSearch, Ray, Resumable, searched
from thalweg.line_search.strong_wolfe import StrongWolfe, WolfeProgress


class ExactProgress(NamedTuple):
    """The search by cubics, and the trial with which it began."""

    cubics: WolfeProgress
    initial_step: Scalar

    @property
    def trial(self) -> Scalar:
        """The step to evaluate next."""
        return self.cubics.trial

    @property
    def done(self) -> Scalar:
        """Whether the search is over."""
        return self.cubics.done


class ExactSearch(LineSearch, Resumable):
    r"""\(\varphi'(t) = 0\): in closed form where \(\varphi\) is a quadratic, by safeguarded cubics elsewhere.

    The first trial is \(t = -\varphi'(0)/\varphi''(0)\), with one Hessian-vector product. It is the minimum of a
    quadratic, and one evaluation verifies that. Where it is not flat there, or where \(\varphi''(0) \le 0\) and the
    trial is the direction's, the minimum is bracketed and zoomed in by cubic interpolation with slopes.

    - `tolerance`: the minimum is found when \(|\varphi'(t)|\) is at most so many times \(|\varphi'(0)|\), in (0, 1).
      A quadratic's minimum is exact to rounding whatever the tolerance.
    - `max_trials`: >= 1; then the best step so far is taken.

    **Guarantee** On a strongly convex quadratic steepest descent lowers the value's distance from its minimum by
    \(((\kappa-1)/(\kappa+1))^2\) a step or better, and conjugate gradients end after \(n\) steps.
    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, sections 3.3 and 3.5.
    """

    tolerance: float = real_field(1e-3)
    max_trials: int = static_field(40)

    def __check_init__(self):
        check_real(self, "tolerance", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "max_trials")

    def init(self, seen: Evaluation) -> State:
        """The search keeps no memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> ExactProgress:
        """The first trial is the minimum of the quadratic that the curvature at the start shows."""
        curvature = ray.curvature()
        positive = curvature > 0
        first = jnp.where(positive, -ray.start.slope / jnp.where(positive, curvature, 1), ray.initial_step)
        first = jnp.where((first > 0) & jnp.isfinite(first), first, ray.initial_step)
        return ExactProgress(self.cubics().open(ray._replace(initial_step=first), ()), first)

    def turn(self, ray: Ray, memory: State, progress: ExactProgress) -> ExactProgress:
        """One trial of the search by cubics."""
        return progress._replace(cubics=self.cubics().turn(ray, (), progress.cubics))

    def close(self, ray: Ray, memory: State, progress: ExactProgress) -> Found:
        """The step that the search by cubics found; one Hessian-vector product was taken."""
        found = self.cubics().close(ray._replace(initial_step=progress.initial_step), (), progress.cubics)
        return found._replace(hvps=1)

    def cubics(self) -> StrongWolfe:
        """The search by cubic interpolation with slopes, to the tolerance."""
        return replace(StrongWolfe(), curvature=self.tolerance, max_trials=self.max_trials)
