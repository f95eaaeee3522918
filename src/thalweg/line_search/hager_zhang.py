"""A step that satisfies the Wolfe conditions, or what is left of them in floating point.

Hager & Zhang describe bracketing, the update of an interval and bisection as routines that call each other. All of
them put one trial into an interval by one rule (`placed`), and differ only in where they look next (`next_trial`): a
loop with one evaluation in it, so that the objective is traced once.
"""

from typing import NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.tree import select
from thalweg.core.types import Evaluation, Scalar, ScalarLike, State
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray, Resumable, searched, value_rounding
from thalweg.line_search.strong_wolfe import RETREAT, End

_FIRST_SECANT, _SECOND_SECANT, _BISECTION = 0, 1, 2
"""What the last trial was: the secant of the interval, the secant of two points on one side, its middle."""


class Bracket(NamedTuple):
    r"""The interval, and what decides where to look next.

    - `low`: \(\varphi' < 0\) and a value that did not rise. `high`: \(\varphi' \ge 0\), or a value that rose (not
      `proper`: the minimum is then between), or infinity as long as nothing was found.
    - `seen`: the evaluation at `low`. `a`, `b`: the interval when its secant was taken.
    - `kind`: what the trial is. `trial`: the step to evaluate next. `count`: trials so far.
    - `done`: whether the search is over. `accepted`: whether `low` satisfies the conditions.
    """

    low: End
    high: End
    seen: Evaluation
    a: End
    b: End
    kind: Scalar
    trial: Scalar
    count: Scalar
    done: Scalar
    accepted: Scalar


class HagerZhang(LineSearch, Resumable):
    r"""The Wolfe conditions or, where values are rounding, their approximation by slopes.

    \[ \varphi(t) \le \varphi(0) + \delta t\varphi'(0) \quad\text{and}\quad \varphi'(t) \ge \sigma\varphi'(0), \]
    or \(\sigma\varphi'(0) \le \varphi'(t) \le (2\delta-1)\varphi'(0)\) and \(\varphi(t) \le \varphi(0) + \epsilon\)
    with \(\epsilon\) the rounding of \(\varphi(0)\). For a quadratic the two say the same, but differences of values
    can be trusted to \(\sqrt{\epsilon}\) only: this search finds the minimum to full precision, and is the one for
    float32. The bracket grows by `expansion`; the interval shrinks by a double secant step, and by bisection where that
    leaves more than `shrink` of it.

    - `slope`: \(\delta\) in (0, 1/2). `curvature`: \(\sigma\) in [`slope`, 1).
    - `bisection`: \(\theta\) in (0, 1), where an interval is cut in which the value rose.
    - `shrink`: \(\gamma\) in (0, 1). `expansion`: \(\rho\) > 1. `max_trials`: >= 1; then the best step is taken.

    **Guarantee** Ends for every continuously differentiable function that is bounded below; the interval shrinks
    with root-order 2.4 where the second derivative at the minimum is positive. Steps have \(y's > 0\).
    **References** Hager & Zhang 2005, doi:10.1137/030601880, section 4; Hager & Zhang 2006,
    doi:10.1145/1132973.1132979. There \(\epsilon = 10^{-6}|\varphi(0)|\), which would let a value with a large offset
    rise for nothing.
    """

    slope: float = real_field(0.1)
    curvature: float = real_field(0.9)
    bisection: float = real_field(0.5)
    shrink: float = real_field(0.66)
    expansion: float = real_field(5.0)
    max_trials: int = static_field(50)

    def __check_init__(self):
        check_real(self, "slope", 0.0, 0.5, "in (0, 1/2)", open_low=True, open_high=True)
        check_real(self, "curvature", 0.0, 1.0, "in [slope, 1)", open_low=True, open_high=True)
        if isinstance(self.slope, float) and isinstance(self.curvature, float) and self.curvature < self.slope:
            check_real(self, "curvature", self.slope, 1.0, f"in [slope={self.slope}, 1)")
        for name in ("bisection", "shrink"):
            check_real(self, name, 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "expansion", 1.0, jnp.inf, "a finite number > 1", open_low=True, open_high=True)
        check_count(self, "max_trials")

    def init(self, seen: Evaluation) -> State:
        """The search keeps no memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> Bracket:
        """Nothing is bracketed yet; the first trial is the ray's initial step."""
        phi0, dtype = ray.start, ray.start.value.dtype
        low = End(jnp.zeros((), dtype), phi0.value, phi0.slope)
        high = End(jnp.full((), jnp.inf, dtype), jnp.full((), jnp.inf, dtype), jnp.zeros((), dtype))
        return Bracket(
            low,
            high,
            phi0.seen,
            low,
            high,
            kind=jnp.asarray(_BISECTION, jnp.int32),
            trial=jnp.minimum(ray.initial_step, ray.max_step),
            count=jnp.asarray(0, jnp.int32),
            done=~jnp.isfinite(phi0.value),  # nothing can be said of a fall from there
            accepted=jnp.asarray(False),
        )

    def close(self, ray: Ray, memory: State, progress: Bracket) -> Found:
        """The accepted step, or else the lowest one that was tried."""
        phi0, (step, value, slope) = ray.start, progress.low
        far = jnp.isinf(progress.high.step) & (step * jnp.finfo(step.dtype).eps >= ray.initial_step)
        unbounded = (value == -jnp.inf) | (far & (progress.count >= self.max_trials))
        ok = (step > 0) & (progress.accepted | (value < phi0.value - value_rounding(phi0)))
        return Found(step, Phi(value, slope, progress.seen), ok, unbounded & ok, progress.count)

    def accepts(self, phi0: Phi, phi: Phi, step: Scalar) -> Scalar:
        """Whether a step satisfies Wolfe's conditions, or the approximate ones."""
        flat = phi.slope >= self.curvature * phi0.slope
        fell = phi.value - phi0.value <= self.slope * step * phi0.slope
        by_slope = (phi.slope <= (2 * self.slope - 1) * phi0.slope) & (phi.value - phi0.value <= value_rounding(phi0))
        return (flat & (fell | by_slope) & jnp.isfinite(phi.value)) | (phi.value == -jnp.inf)

    def turn(self, ray: Ray, memory: State, progress: Bracket) -> Bracket:
        """The interval after the evaluation at `progress.trial`, and where to look next."""
        bracket, phi0, phi = progress, ray.start, ray.at(progress.trial)
        here = End(bracket.trial, phi.value, phi.slope)
        accepted = self.accepts(phi0, phi, here.step)
        finite = jnp.isfinite(phi.value) & jnp.isfinite(phi.slope)
        is_low = finite & (phi.slope < 0) & (phi.value - phi0.value <= value_rounding(phi0))
        low, high = select(is_low, here, bracket.low), select(is_low, bracket.high, here)
        proper = jnp.isinf(high.step) | (jnp.isfinite(high.value) & (high.slope >= 0))
        trial, kind = self.next_trial(bracket, low, high, is_low)
        # Between two ends the rule U3 bisects until the upper one is proper; a second secant is not taken then.
        cut = jnp.where(jnp.isfinite(high.value) & jnp.isfinite(high.slope), self.bisection, RETREAT)
        trial = jnp.where(proper, trial, low.step + cut * (high.step - low.step))
        trial = jnp.minimum(jnp.where(jnp.isinf(high.step), self.expansion * low.step, trial), ray.max_step)
        kind = jnp.where(
            jnp.isinf(high.step), _BISECTION, jnp.where(proper, kind, jnp.maximum(bracket.kind, _SECOND_SECANT))
        )
        fresh = proper & (kind == _FIRST_SECANT)
        taken = is_low | accepted
        stuck = (trial == low.step) | (trial == high.step)  # by rounding, or at the end of the ray
        return Bracket(
            select(accepted, here, low),
            high,
            select(taken, phi.seen, bracket.seen),
            select(fresh, low, bracket.a),
            select(fresh, high, bracket.b),
            kind.astype(jnp.int32),
            trial,
            bracket.count + 1,
            accepted | stuck | (bracket.count + 1 >= self.max_trials),
            accepted,
        )

    def next_trial(self, bracket: Bracket, low: End, high: End, is_low: Scalar) -> tuple[Scalar, ScalarLike]:
        """Secant of the interval, secant on the side that moved, middle if the interval shrank too little."""
        a, b, last = bracket.a, bracket.b, bracket.kind
        again = jnp.where(is_low, _secant_step(a, low), _secant_step(b, high))
        second = (last == _FIRST_SECANT) & (again > low.step) & (again < high.step)
        slow = (last != _BISECTION) & (high.step - low.step > self.shrink * (b.step - a.step))
        first = _secant_step(low, high)
        inside = (first > low.step) & (first < high.step)
        middle = 0.5 * (low.step + high.step)
        trial = jnp.where(second, again, jnp.where(slow | ~inside, middle, first))
        return trial, jnp.where(second, _SECOND_SECANT, jnp.where(slow | ~inside, _BISECTION, _FIRST_SECANT))


def _secant_step(a: End, b: End) -> Scalar:
    """Where the straight line through two slopes is 0; NaN, which is inside no interval, where it is parallel to 0."""
    return (a.step * b.slope - b.step * a.slope) / (b.slope - a.slope)
