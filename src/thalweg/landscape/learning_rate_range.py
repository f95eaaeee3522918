"""The learning-rate range test: a short run with a growing learning rate, and the rate that its losses suggest."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from thalweg.core.duration import duration_field, in_steps
from thalweg.core.fields import real_field, replace
from thalweg.core.first_order import as_solver
from thalweg.core.problem import Problem
from thalweg.core.rule import OptaxRule, Rule
from thalweg.core.solver import Solver
from thalweg.core.stop import Steps
from thalweg.core.types import Params, Scalar, real
from thalweg.minimization import minimize
from thalweg.run.observe.callbacks import Event, Every
from thalweg.schedules import Schedule

_MIN_STEPS = 20
"""The number of steps of the shortest test; with fewer there is nothing to smooth."""
_CHECK_EVERY = 10
"""The number of steps between two checks for an explosion of the loss."""
_AVERAGE_DECAY = 0.8
"""The decay of the running average that those checks use, because they know no later losses."""
_WINDOW_WIDTHS = (0.04, 0.06, 0.09, 0.13)
"""Widths of the smoothing window as fractions of the test's length; the first with a significant fall is used."""
_SIGNIFICANCE = 4.0
"""A fall or a slope is significant if it is at least this many times its standard error."""
_BEGIN_FRACTION = 0.1
"""The fraction of the total fall at which the interval begins."""
_MIN_RELATIVE_FALL = 1e-6
"""A fall by less than this fraction of the loss may be rounding."""
_EXPLOSION_RISE = 0.05
"""A loss that never fell has exploded when it has grown by this fraction."""
_MAXIMIZED = {
    "loss falls": "objective rises",
    "loss does not fall": "objective does not rise",
    "still falling": "still rising",
}
"""How the messages speak of an objective that is maximized."""


class LearningRateRange(NamedTuple):
    """The result of a range test; printing it shows a summary, and `tw.plot.range_test` draws it.

    - `rates`, `losses`: the learning rate of every step, and the loss after it.
    - `smoothed`: the losses, limited where they explode and locally averaged.
    - `suggestion`: the learning rate at which the smoothed loss falls most steeply over the logarithm of the rate; NaN
      if the loss does not fall.
    - `interval`: the learning rates where the loss begins to fall and where it is lowest.
    - `message`: the result in a sentence.

    Of a problem with `maximize=True` the losses are the values of the objective, which should rise.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float
    interval: tuple[float, float]
    message: str

    def __str__(self) -> str:
        low, high = self.interval
        rows = [("suggestion", f"{self.suggestion:.3g}"), ("interval", f"{low:.3g} to {high:.3g}")]
        rows += [("tried", f"{self.rates[0]:.3g} to {self.rates[-1]:.3g} in {len(self.rates)} steps")]
        return "\n".join([f"Learning-rate range test: {self.message}", *(f"  {name:<12}{text}" for name, text in rows)])

    __repr__ = __str__


class GeometricSweep(Schedule):
    r"""A schedule that grows by the same factor every step: \(\eta_t = \eta_0\,(\eta_T/\eta_0)^{t/T}\).

    - `low`, `high`: \(\eta_0\) and \(\eta_T\), > 0.
    - `steps`: \(T\).
    """

    low: float = real_field()
    high: float = real_field()
    steps: Any = duration_field()

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        return self.low * jnp.power(self.high / self.low, real(step) / in_steps(self, "steps"))


def learning_rate_range(
    problem: Problem | Callable,
    x0: Params,
    rule: Any,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    seed: int = 0,
    model_state: Any = None,
) -> LearningRateRange:
    """Learning-rate range test: trains for a few steps with a growing learning rate, and suggests one.

    - `problem`, `x0`, `batch_size`, `seed`, `model_state`: as in `tw.minimize`. Nothing of the run is kept.
    - `rule`: a rule, or a solver around one. Every learning rate in it, in groups and wrappers too, is replaced by one
      that grows from `low` to `high`.
    - `low`, `high`: the first and the last learning rate, 0 < low < high. `steps`: their number, >= 20.

    The run ends early if the loss explodes or becomes NaN. The losses are smoothed by local linear fits, in a window
    that is widened until the steepest fall stands out from the noise. The suggestion is the learning rate of the
    steepest fall. A good constant learning rate is close to it; the peak of a schedule may be larger.

    **References** Smith 2017, arXiv:1506.01186, section 3.3; Smith 2018, arXiv:1803.09820.
    """
    _check_range_test(low, high, steps)
    found, count = _with_learning_rate(as_solver(rule), GeometricSweep(low, high, steps - 1))
    if not count:
        raise ValueError(
            f"learning_rate_range: {type(rule).__name__} has no learning_rate; give a rule such as tw.SGD(0.1)."
        )
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    # Nothing is validated: the test uses only the losses of its steps.
    problem = replace(problem, validation=None, validation_loss=None, metrics=None)
    losses: list[float] = []
    sign = problem.sign

    def watch(event: Event) -> str | None:
        losses.extend(sign * np.asarray(event.trace.value, float))
        return "stop" if has_exploded(np.asarray(losses), steps) else None

    watching: dict[str, Any] = {"callbacks": [Every(_CHECK_EVERY, watch)], "on_failure": "ignore"}
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "model_state": model_state}
    result = minimize(problem, x0, found, stop=Steps(steps), **options, **watching)
    values = sign * np.asarray(result.trace.value, float)
    # The loss in a row of the trace is the one before the step.
    rates = low * (high / low) ** (np.arange(len(values) - 1) / (steps - 1))
    tested = analyze_losses(rates, values[1:], steps)
    return tested if sign > 0 else _in_the_users_sign(tested)


def _in_the_users_sign(tested: LearningRateRange) -> LearningRateRange:
    """The result of a test on the negative of an objective that is maximized, told of the objective itself."""
    message = tested.message
    for minimized, maximized in _MAXIMIZED.items():
        message = message.replace(minimized, maximized)
    return tested._replace(losses=-tested.losses, smoothed=-tested.smoothed, message=message)


def _check_range_test(low: Any, high: Any, steps: Any) -> None:
    """Checks `low`, `high` and `steps` of `learning_rate_range`."""
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ValueError(f"learning_rate_range({name}={value!r}): {name} must be a finite number > 0.")
    if low >= high:
        raise ValueError(f"learning_rate_range(low={low!r}, high={high!r}): low must be less than high.")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < _MIN_STEPS:
        raise ValueError(f"learning_rate_range(steps={steps!r}): steps must be a whole number >= {_MIN_STEPS}.")


def _with_learning_rate(node: Any, rate: Schedule) -> tuple[Any, int]:
    """Returns a method with every learning rate in it replaced, and how many there were."""
    if type(node) is tuple:
        pairs = [_with_learning_rate(part, rate) for part in node]
        return tuple(part for part, _ in pairs), sum(count for _, count in pairs)
    if isinstance(node, OptaxRule):
        raise TypeError(
            "learning_rate_range: the learning rate of an Optax transformation cannot be changed; give a rule such as "
            "tw.SGD(0.1)."
        )
    if not isinstance(node, (Rule, Solver)):
        return node, 0
    changes, total = {}, 0
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        changes[field.name], count = (rate, 1) if field.name == "learning_rate" else _with_learning_rate(value, rate)
        total += count
    return replace(node, **changes), total


def has_exploded(losses: np.ndarray, steps: int) -> bool:
    """Whether the losses so far are NaN or infinite, or end above the threshold of an explosion."""
    if not np.isfinite(losses).all():
        return True
    weights = _AVERAGE_DECAY ** np.arange(len(losses))[::-1]
    return bool(
        len(losses) >= _CHECK_EVERY and np.average(losses, weights=weights) > _explosion_threshold(losses, steps)
    )


def _explosion_threshold(losses: np.ndarray, steps: int) -> float:
    """Returns the loss above which a test has exploded: as far above the initial loss as it ever fell below it."""
    first = initial_loss(losses, steps)
    near = max(_CHECK_EVERY // 2, 1)
    medians = [np.median(losses[max(i - near, 0) : i + near]) for i in range(len(losses))]
    return float(first + max(first - min(medians), _SIGNIFICANCE * _noise_level(losses), _EXPLOSION_RISE * abs(first)))


def initial_loss(losses: np.ndarray, steps: int) -> float:
    """Returns the loss of the first steps, whose learning rates are too small to change it."""
    return float(np.median(losses[: max(steps // 10, 3)]))


def _noise_level(losses: np.ndarray) -> float:
    """Estimates the noise by second differences, whose standard deviation is sqrt(6) times as large."""
    differences = np.diff(losses, 2)
    return 1.4826 * float(np.median(np.abs(differences))) / math.sqrt(6) if len(differences) else 0.0


class _LocalLines(NamedTuple):
    """Local linear fits at every point: value and slope, and their standard errors for noise of 1."""

    value: np.ndarray
    slope: np.ndarray
    value_error: np.ndarray
    slope_error: np.ndarray


def _fit_local_lines(losses: np.ndarray, width: float) -> _LocalLines:
    """Fits a line around every point by least squares, with normal weights of the given width in steps."""
    offset = np.arange(len(losses))[None, :] - np.arange(len(losses))[:, None]
    w = np.exp(-0.5 * (offset / width) ** 2)
    s0, s1, s2 = ((w * offset**k).sum(axis=1) for k in range(3))
    det = s0 * s2 - s1**2
    value = w * (s2[:, None] - s1[:, None] * offset) / det[:, None]
    slope = w * (s0[:, None] * offset - s1[:, None]) / det[:, None]
    errors = (np.sqrt((weights**2).sum(axis=1)) for weights in (value, slope))
    return _LocalLines(value @ losses, slope @ losses, *errors)


def analyze_losses(rates: np.ndarray, losses: np.ndarray, steps: int) -> LearningRateRange:
    """Smooths the losses, and finds the steepest fall and the interval of learning rates in which they fall."""
    finite = int(np.argmin(np.isfinite(losses))) if not np.isfinite(losses).all() else len(losses)
    seen = losses[:finite]
    if finite < _CHECK_EVERY // 2:
        return _no_suggestion(rates, losses, f"the loss becomes NaN or infinite within {finite + 1} steps: lower low=.")
    spread = _noise_level(seen)
    seen = np.minimum(seen, _explosion_threshold(seen, steps))
    for width in _WINDOW_WIDTHS:
        fit = _fit_local_lines(seen, max(width * steps, 1.0))
        lowest = int(np.argmin(fit.value))
        steepest = int(np.argmin(fit.slope[: lowest + 1]))
        if -fit.slope[steepest] > _SIGNIFICANCE * spread * fit.slope_error[steepest]:
            break
    smoothed = np.concatenate([fit.value, np.full(len(losses) - finite, np.nan)])
    first, count = initial_loss(seen, steps), max(steps // 10, 3)
    fall = first - fit.value[lowest]
    # A median of n normal numbers has the variance pi / 2n.
    error = spread * math.sqrt(fit.value_error[lowest] ** 2 + math.pi / (2 * count))
    if not fall > max(_SIGNIFICANCE * error, _MIN_RELATIVE_FALL * abs(first)) or fit.slope[steepest] >= 0:
        text = f"the loss does not fall between {rates[0]:.3g} and {rates[-1]:.3g}: "
        cure = "lower low=." if finite < len(losses) or len(losses) < steps else "raise high=, or take more steps=."
        return _no_suggestion(rates, losses, text + cure, smoothed)
    early = np.flatnonzero(fit.value[: lowest + 1] > first - _BEGIN_FRACTION * fall)
    begin = min(int(early[-1]) + 1 if len(early) else 0, steepest)
    interval = (float(rates[begin]), float(rates[lowest]))
    message = f"the loss falls most steeply at a learning rate of {rates[steepest]:.3g}."
    if lowest == len(losses) - 1 == steps - 1:
        message += " It is still falling at the end: raise high=."
    return LearningRateRange(rates, losses, smoothed, float(rates[steepest]), interval, message)


def _no_suggestion(
    rates: np.ndarray, losses: np.ndarray, message: str, smoothed: np.ndarray | None = None
) -> LearningRateRange:
    """Returns the result of a test without a suggestion."""
    smoothed = np.full(len(losses), np.nan) if smoothed is None else smoothed
    return LearningRateRange(rates, losses, smoothed, math.nan, (math.nan, math.nan), message)
