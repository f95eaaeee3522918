"""Backtracking until the value has fallen enough."""

from typing import NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.types import Evaluation, Scalar, State
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray, Resumable, decreased, searched


class BacktrackingProgress(NamedTuple):
    """A search between two trials.

    - `trial`: the step to evaluate next. `step`, `phi`: the last one, and the objective there.
    - `count`: trials so far. `done`: whether the search is over.
    """

    trial: Scalar
    step: Scalar
    phi: Phi
    count: Scalar
    done: Scalar


_MIN_SHRINK = 0.1
"""A parabola may shorten the step to this fraction, not further: it knows little of what is near."""


class Backtracking(LineSearch, Resumable):
    r"""The first of ever shorter steps that lowers the value enough (Armijo).

    The steps are \(t = t_0, \beta t_0, \beta^2 t_0, \dots\), the demand is
    \(\varphi(t) \le \varphi(0) + \alpha\,t\,\varphi'(0)\).

    - `slope`: \(\alpha\), the demanded fraction of the decrease that the slope promises, in (0, 1/2).
    - `decrease`: \(\beta\) in (0, 1). `max_trials`: >= 1; at the default the step has shrunk by 1e-18.
    - `interpolate`: whether the next step is the minimum of the parabola through \(\varphi(0)\), \(\varphi'(0)\) and
      the value at the last one, between 0.1 and \(\beta\) times that step.

    **Guarantee** Ends for every descent direction of a differentiable function.
    **References** Armijo 1966, doi:10.2140/pjm.1966.16.1; Boyd & Vandenberghe 2004, section 9.2; the parabola:
    Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 3.5.
    """

    slope: float = real_field(1e-4)
    decrease: float = real_field(0.5)
    max_trials: int = static_field(60)
    interpolate: bool = static_field(False)

    def __check_init__(self):
        check_real(self, "slope", 0.0, 0.5, "in (0, 1/2)", open_low=True, open_high=True)
        check_real(self, "decrease", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "max_trials")

    def init(self, seen: Evaluation) -> State:
        """The search keeps no memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> BacktrackingProgress:
        """Nothing has been tried; the first trial is the ray's initial step."""
        lost = ~jnp.isfinite(ray.start.value)
        none, zero = jnp.asarray(0, jnp.int32), jnp.zeros_like(ray.initial_step)
        return BacktrackingProgress(jnp.minimum(ray.initial_step, ray.max_step), zero, ray.start, none, lost)

    def turn(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> BacktrackingProgress:
        """One trial; the next one is shorter, unless the value has fallen enough."""
        step, count = progress.trial, progress.count + 1
        phi = ray.at(step)
        over = decreased(ray.start, phi, step, self.slope) | (count >= self.max_trials)
        return BacktrackingProgress(self.shortened(ray, step, phi) * step, step, phi, count, over)

    def close(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> Found:
        """The last trial, if the value has fallen enough there."""
        _, step, phi, count, _ = progress
        ok = (count > 0) & decreased(ray.start, phi, step, self.slope)
        return Found(step, phi, ok, jnp.asarray(False), count)

    def shortened(self, ray: Ray, step: Scalar, phi: Phi) -> Scalar:
        """The next step as a fraction of the last one."""
        beta = jnp.asarray(self.decrease, step.dtype)
        if not self.interpolate:
            return beta
        promise = step * ray.start.slope
        best = -0.5 * promise / (phi.value - ray.start.value - promise)
        return jnp.where(jnp.isfinite(best), jnp.clip(best, jnp.minimum(_MIN_SHRINK, beta), beta), beta)
