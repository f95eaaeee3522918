"""The Robbins-Monro conditions: whether the rates of a schedule add up to infinity, and their squares do not."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.types import real
from thalweg.schedules.cycles import CosineRestarts, Cyclical, OneCycle, OneCycleMomentum
from thalweg.schedules.decays import Constant, Cosine, Exponential, InverseTime, Linear, Polynomial, StepDecay
from thalweg.schedules.joined import Join, Piecewise, Scaled
from thalweg.schedules.warmup import WSD, InverseSqrt, Warmup, WarmupCosine

_OCTAVES = range(10, 30)
"""A schedule is sampled between 2**k and 2**(k + 1) steps for these k, as far as a 32-bit count goes."""
_SAMPLES_PER_OCTAVE = 1024
"""The number of steps sampled in each octave."""
_COMPARED_OCTAVES = 6
"""The number of octaves at the end whose slopes are compared."""
_EXPONENT_TOLERANCE = 1e-3
"""An exponent this close to 1 or 1/2 counts as equal: rounding in float32 moves a slope by about 1e-4."""


class RobbinsMonro(NamedTuple):
    r"""Whether rates \(\eta_0, \eta_1, \dots\) satisfy the Robbins-Monro conditions; printing it shows why.

    - `sum_diverges`: whether \(\sum\eta_t = \infty\), so that the iterate can reach any point; None if undecided.
    - `squares_converge`: whether \(\sum\eta_t^2 < \infty\), so that the noise averages out; None if undecided.
    - `exponent`: \(a\), where the rates fall like \(t^{-a}\) in the long run: 0 if they do not fall, infinity if they
      end at 0 or fall faster than every power.
    - `reason`: a proof in one line, or what was measured.
    """

    sum_diverges: bool | None
    squares_converge: bool | None
    exponent: float
    reason: str

    @property
    def satisfied(self) -> bool | None:
        """Whether both conditions hold; None if undecided."""
        both = (self.sum_diverges, self.squares_converge)
        return False if False in both else None if None in both else True

    def __str__(self) -> str:
        word = {True: "satisfied", False: "not satisfied", None: "not decided"}[self.satisfied]
        sums = {True: "diverges", False: "converges", None: "unknown"}
        squares = None if self.squares_converge is None else not self.squares_converge
        return (
            f"Robbins-Monro conditions: {word}\n"
            f"  sum of rates    {sums[self.sum_diverges]}\n"
            f"  sum of squares  {sums[squares]}\n"
            f"  because         {self.reason}"
        )

    __repr__ = __str__


def robbins_monro(schedule: Any) -> RobbinsMonro:
    r"""Checks the Robbins-Monro conditions \(\sum\eta_t = \infty\) and \(\sum\eta_t^2 < \infty\), with the reason.

    - `schedule`: a schedule of this library, decided by its closed form; a number; or any function of the step, whose
      decay is measured between 1024 and 2**30 steps. A measurement is not a proof, and the result says so.

    With unbiased gradients of bounded variance and rates that satisfy both conditions, stochastic gradient descent on a
    strongly convex function converges to the minimum almost surely.

    **References** Robbins & Monro 1951, doi:10.1214/aoms/1177729586; Robbins & Siegmund 1971,
    doi:10.1016/B978-0-12-604550-5.50015-8.
    """
    if not callable(schedule):
        schedule = Constant(schedule)
    exponent, reason = (
        _exponent_from_form(schedule) if type(schedule) in _TAIL_OF_TYPE or _is_composed(schedule) else (None, "")
    )
    if exponent is None:
        return _measure_exponents(schedule)
    return RobbinsMonro(exponent <= 1, exponent > 0.5, exponent, reason)


def _is_composed(schedule: Any) -> bool:
    """Whether the long-run behavior of a schedule is that of a schedule inside it."""
    return isinstance(schedule, (Warmup, Join, Scaled))


def _exponent_from_form(schedule: Any) -> tuple[float | None, str]:
    """Returns the long-run exponent and the proof; None where a function inside has no known closed form."""
    if isinstance(schedule, Warmup):
        return _prepend_reason(
            "finitely many steps of warm-up change neither sum", _exponent_from_form(schedule.schedule)
        )
    if isinstance(schedule, Join):
        return _prepend_reason(
            "only the last schedule counts in the long run", _exponent_from_form(schedule.schedules[-1])
        )
    if isinstance(schedule, Scaled):
        if schedule.factor == 0:
            return math.inf, "all rates are 0: both sums converge"
        return _prepend_reason("a factor changes neither sum's convergence", _exponent_from_form(schedule.schedule))
    if type(schedule) in _TAIL_OF_TYPE:
        return _TAIL_OF_TYPE[type(schedule)](schedule)
    return (None, "") if callable(schedule) else _constant_tail(schedule)


def _prepend_reason(first: str, rest: tuple[float | None, str]) -> tuple[float | None, str]:
    """Returns an exponent and its proof with one more argument in front."""
    return rest[0], f"{first}; {rest[1]}"


def _constant_tail(rate: Any, until: str = "the rate is") -> tuple[float, str]:
    """Returns the exponent and the proof for a rate that is constant in the long run."""
    rate = float(rate)
    if rate == 0:
        return math.inf, f"{until} 0: both sums are finite"
    return 0.0, f"{until} constant, {rate:g} > 0: both sums grow like t"


def _ends_at(value: Callable[[Any], Any]) -> Callable[[Any], tuple[float, str]]:
    """Returns the proof for schedules that are constant after their last step."""
    return lambda schedule: _constant_tail(value(schedule), "after its last step the rate is")


def _geometric_tail(schedule: Exponential | StepDecay) -> tuple[float, str]:
    """Returns the exponent and the proof for rates that fall geometrically."""
    if schedule.factor == 1 or schedule.peak == 0:
        return _constant_tail(schedule.peak)
    return math.inf, f"the rates fall geometrically (factor {float(schedule.factor):g}): both sums are finite"


def _power_tail(a: Any, peak: Any) -> tuple[float, str]:
    """Returns the exponent and the proof for rates that fall like a power of the step."""
    a = float(a)
    if float(peak) == 0:
        return _constant_tail(0.0)
    sums = "diverges" if a <= 1 else "converges"
    squares = "converges" if a > 0.5 else "diverges"
    return a, f"the rates fall like t^-{a:g}: sum t^-{a:g} {sums}, sum t^-{2 * a:g} {squares} (compare the integrals)"


def _restarts_tail(schedule: CosineRestarts) -> tuple[float, str]:
    """Returns the exponent and the proof for restarts: cycle i adds about `(growth decay)^i` to the sum."""
    growth, decay = float(schedule.growth), float(schedule.decay)
    if float(schedule.peak) == 0:
        return _constant_tail(0.0)
    if decay == 1:
        return 0.0, "every cycle returns to the peak, so its mean rate does not fall, and both sums grow like t"
    if growth == 1:
        return math.inf, "cycles of one length have geometrically falling peaks: both sums are finite"
    exponent = round(-math.log(decay) / math.log(growth), 12)  # 1/3 times 3 is 1
    signs = f"growth x decay = {growth * decay:g}, growth x decay^2 = {growth * decay**2:g}"
    return exponent, f"cycle i adds in proportion to (growth x decay)^i, squared (growth x decay^2)^i; {signs}"


def _cyclical_tail(schedule: Cyclical) -> tuple[float, str]:
    """Returns the exponent and the proof for cyclical rates, whose height is constant or falls geometrically."""
    fades = schedule.mode == "triangular2" or (schedule.mode == "exp_range" and schedule.gamma < 1)
    if fades and float(schedule.low) == 0:
        return math.inf, "the cycles' heights fall geometrically to 0: both sums are finite"
    if float(schedule.high) == 0:
        return _constant_tail(0.0)
    kept = f"never falls below {float(schedule.low):g}" if schedule.low else "returns to the same height in every cycle"
    return 0.0, f"the rate {kept}: both sums grow like t"


_TAIL_OF_TYPE: dict[type, Callable[[Any], tuple[float, str]]] = {
    Constant: lambda s: _constant_tail(s.value),
    Linear: _ends_at(lambda s: s.end),
    Polynomial: _ends_at(lambda s: s.peak * s.final),
    Cosine: _ends_at(lambda s: s.peak * s.final),
    WarmupCosine: _ends_at(lambda s: s.peak * s.final),
    WSD: _ends_at(lambda s: s.peak * s.final),
    OneCycle: _ends_at(lambda s: s.peak / (s.division * s.final_division)),
    OneCycleMomentum: _ends_at(lambda s: s.high),
    Piecewise: _ends_at(lambda s: s.values[-1]),
    Exponential: _geometric_tail,
    StepDecay: _geometric_tail,
    InverseTime: lambda s: _power_tail(s.power, s.peak),
    InverseSqrt: lambda s: _power_tail(0.5, s.peak),
    CosineRestarts: _restarts_tail,
    Cyclical: _cyclical_tail,
}
"""Type of a schedule -> the exponent and the proof of its long-run behavior."""


def _measure_exponents(schedule: Callable) -> RobbinsMonro:
    """Measures how the mean rate and the mean squared rate fall from one doubling of the step to the next."""
    begin = 2.0 ** np.asarray(_OCTAVES)
    # Evenly spread in the logarithm, at the same places of every octave.
    places = 2.0 ** ((np.arange(_SAMPLES_PER_OCTAVE) + 0.5) / _SAMPLES_PER_OCTAVE)
    steps = jnp.asarray(np.floor(begin[:, None] * places), jnp.int32)
    found = jax.jit(jax.vmap(jax.vmap(lambda t: real(schedule(t)))))(steps)
    rates = np.asarray(found, float)
    if not np.isfinite(rates).all() or (rates < 0).any():
        return RobbinsMonro(None, None, math.nan, "measured: some rates up to step 2^30 are negative or not finite")
    if (rates[-1] == 0).all():
        return RobbinsMonro(False, True, math.inf, "measured: the rates are 0 from some step before 2^30 on")
    exponent, spread = _log_slope(rates.mean(axis=1))
    doubled, squares_spread = _log_slope((rates**2).mean(axis=1))
    rates_fall = f"the rates fall like t^-{exponent:.4g} (+- {spread:.1g})"
    squares_fall = f"their squares like t^-{doubled:.4g} (+- {squares_spread:.1g})"
    return RobbinsMonro(
        _sum_diverges(exponent, spread, 1.0),
        _negate(_sum_diverges(doubled, squares_spread, 1.0)),
        exponent,
        f"measured between 2^{_OCTAVES[-_COMPARED_OCTAVES]} and 2^30 steps, not proven: {rates_fall}, {squares_fall}",
    )


def _log_slope(means: np.ndarray) -> tuple[float, float]:
    """Returns the exponent over the last octaves and its uncertainty: its scatter, and the change still to be expected.

    A logarithm besides the power adds c / log t to the slope. What remains of it after octave k is the change over the
    last n octaves times k / n; twice as much is allowed for.
    """
    tail = means[-_COMPARED_OCTAVES - 1 :]
    if (tail == 0).any():
        return math.inf, 0.0
    slopes = -np.diff(np.log2(tail))
    drift = abs(slopes[-1] - slopes[0]) * 2 * _OCTAVES[-1] / _COMPARED_OCTAVES
    noise = 2 * float(np.std(slopes))
    return float(slopes[-_COMPARED_OCTAVES // 2 :].mean()), float(drift + noise)


def _sum_diverges(exponent: float, spread: float, limit: float) -> bool | None:
    """Whether the sum of `t**-exponent` diverges; None if the uncertainty does not allow a decision."""
    if spread <= _EXPONENT_TOLERANCE:
        return exponent <= limit + _EXPONENT_TOLERANCE
    if exponent == math.inf or exponent - spread > limit:
        return False
    return True if exponent + spread < limit else None


def _negate(answer: bool | None) -> bool | None:
    """Returns the negation of a truth value that may be None."""
    return None if answer is None else not answer
