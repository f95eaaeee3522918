"""The minimum along the ray."""

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, replace, static_field
from thalweg.core.types import Evaluation, State
from thalweg.line_search.protocol import Found, LineSearch, Ray
from thalweg.line_search.strong_wolfe import StrongWolfe


class ExactSearch(LineSearch):
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
        """No memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """See the class."""
        bend = ray.bend()
        first = jnp.where(bend > 0, -ray.start.slope / jnp.where(bend > 0, bend, 1), ray.first)
        usable = (first > 0) & jnp.isfinite(first)
        search = replace(StrongWolfe(), curvature=self.tolerance, max_trials=self.max_trials)
        found = search(ray._replace(first=jnp.where(usable, first, ray.first)), ())
        return found._replace(hvps=1)
