"""A step with enough decrease and a flat enough slope.

One loop with one evaluation in it, whatever the phase: the objective is traced once. The search keeps an interval
from `low`, the best acceptable step so far, to `high`, where the value or the slope turns; `high` is infinite as
long as nothing turned.
"""

from typing import NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.tree import select
from thalweg.core.types import Evaluation, Scalar, State
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray, Resumable, decreased, searched, value_rounding

_EXPANSION = 10.0
"""The most by which one trial without a bracket exceeds the last."""
_MARGIN = 0.1
"""Trials keep this fraction of the interval away from its ends, so that the interval shrinks."""
RETREAT = 0.25
"""How much of the way to a non-finite value is tried next."""


class End(NamedTuple):
    """One end of the interval."""

    step: Scalar
    value: Scalar
    slope: Scalar


class WolfeProgress(NamedTuple):
    """The interval, and what decides where to look next.

    - `low`: the best acceptable end so far. `high`: the other end, at infinity as long as nothing turned.
    - `seen`: the evaluation at `low`. `trial`: the step to evaluate next. `count`: trials so far.
    - `done`: whether the search is over. `accepted`: whether `low` satisfies both conditions.
    """

    low: End
    high: End
    seen: Evaluation
    trial: Scalar
    count: Scalar
    done: Scalar
    accepted: Scalar


class StrongWolfe(LineSearch, Resumable):
    r"""\(\varphi(t) \le \varphi(0) + \alpha t\varphi'(0)\) and \(|\varphi'(t)| \le \sigma|\varphi'(0)|\).

    Brackets by expansion, then zooms by safeguarded cubic interpolation.

    - `slope`: \(\alpha\), the demanded fraction of the promised decrease, in (0, 1/2).
    - `curvature`: \(\sigma\), how flat the end must be, in (`slope`, 1).
    - `max_trials`: >= 1; then the best acceptable step so far is taken.

    **Guarantee** Such steps exist on every descent ray of a differentiable function that is bounded below, and for
    them \(y's > 0\), so that quasi-Newton matrices stay positive definite.
    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, algorithms 3.5 and 3.6.
    """

    slope: float = real_field(1e-4)
    curvature: float = real_field(0.9)
    max_trials: int = static_field(30)

    def __check_init__(self):
        check_real(self, "slope", 0.0, 0.5, "in (0, 1/2)", open_low=True, open_high=True)
        check_real(self, "curvature", 0.0, 1.0, "in (slope, 1)", open_low=True, open_high=True)
        if isinstance(self.slope, float) and isinstance(self.curvature, float) and self.curvature <= self.slope:
            check_real(self, "curvature", self.slope, 1.0, f"in (slope={self.slope}, 1)", open_low=True)
        check_count(self, "max_trials")

    def init(self, seen: Evaluation) -> State:
        """The search keeps no memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> WolfeProgress:
        """There is no bracket yet; the first trial is the ray's initial step."""
        phi0 = ray.start
        zero, infinite = jnp.zeros((), phi0.value.dtype), jnp.full((), jnp.inf, phi0.value.dtype)
        return WolfeProgress(
            low=End(zero, phi0.value, phi0.slope),
            high=End(infinite, infinite, zero),
            seen=phi0.seen,
            trial=jnp.minimum(ray.initial_step, ray.max_step),
            count=jnp.asarray(0, jnp.int32),
            done=~jnp.isfinite(phi0.value),  # nothing can be said of a fall from there
            accepted=jnp.asarray(False),
        )

    def close(self, ray: Ray, memory: State, progress: WolfeProgress) -> Found:
        """The best acceptable step that was tried."""
        phi0, (step, value, slope) = ray.start, progress.low
        # Trials that ran out early only mean a timid search; a ray without a turn is one that was followed far.
        far = jnp.isinf(progress.high.step) & (step * jnp.finfo(step.dtype).eps >= ray.initial_step)
        unbounded = (value == -jnp.inf) | (far & (progress.count >= self.max_trials))
        ok = (step > 0) & (progress.accepted | (value < phi0.value - value_rounding(phi0)))
        return Found(step, Phi(value, slope, progress.seen), ok, unbounded & ok, progress.count)

    def turn(self, ray: Ray, memory: State, progress: WolfeProgress) -> WolfeProgress:
        """The interval after the evaluation at `progress.trial`, and where to look next."""
        phi0, (low, high), phi = ray.start, progress[:2], ray.at(progress.trial)
        here = End(progress.trial, phi.value, phi.slope)
        finite = jnp.isfinite(phi.value) & jnp.isfinite(phi.slope)
        good = finite & decreased(phi0, phi, here.step, self.slope) & (here.value <= low.value + value_rounding(phi0))
        good = good | (phi.value == -jnp.inf)
        flat = jnp.abs(here.slope) <= self.curvature * jnp.abs(phi0.slope)
        turned = here.slope * (high.step - low.step) >= 0
        new_high = select(good, select(turned, low, high), here)
        new_low = select(good, here, low)
        trial = jnp.minimum(_next_trial(new_low, new_high), ray.max_step)
        stuck = trial == new_low.step  # by rounding, or at the end of the ray
        return WolfeProgress(
            new_low,
            new_high,
            select(good, phi.seen, progress.seen),
            trial,
            progress.count + 1,
            (good & (flat | ~finite)) | stuck | (progress.count + 1 >= self.max_trials),
            good & flat,
        )


def _next_trial(low: End, high: End) -> Scalar:
    """Expansion without a bracket; else the cubic's minimizer, kept inside the interval."""
    width = high.step - low.step
    inside = jnp.clip(_cubic_minimizer(low, high), _MARGIN, 1 - _MARGIN)
    fraction = jnp.where(jnp.isfinite(high.value) & jnp.isfinite(high.slope), inside, RETREAT)
    return jnp.where(jnp.isinf(high.step), _EXPANSION * low.step, low.step + fraction * width)


def _cubic_minimizer(low: End, high: End) -> Scalar:
    """Minimizer of the cubic through both ends' values and slopes, as a fraction of the way from `low` to `high`."""
    width = high.step - low.step
    a, b = width * low.slope, width * high.slope
    d1 = a + b - 3 * (high.value - low.value)
    d2 = jnp.sqrt(jnp.maximum(d1**2 - a * b, 0))
    fraction = 1 - (b + d2 - d1) / (b - a + 2 * d2)
    return jnp.where(jnp.isfinite(fraction), fraction, 0.5)
