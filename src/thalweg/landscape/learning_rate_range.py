"""The learning-rate range test: one short run whose rate grows, and what its losses say."""

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
from thalweg.run.callbacks import Event, Every
from thalweg.schedules import Schedule

FEWEST = 20
"""Steps of the shortest test: with fewer there is nothing to smooth."""
LOOK = 10
"""Steps between two looks for an explosion."""
MEMORY = 0.8
"""What the average at those looks, which sees no later losses, keeps of the past at every step."""
WIDTHS = (0.04, 0.06, 0.09, 0.13)
"""Widths of the smoothing window as fractions of the test's length: the first that makes the fall clear is taken."""
CLEAR = 4.0
"""A fall or a slope is clear if it is so many times its standard error."""
BEGUN = 0.1
"""The part of the whole fall that is done where the interval begins."""
FLAT = 1e-6
"""A fall by less than this part of the loss may be rounding."""
RISE = 0.05
"""A loss that never fell has exploded when it is larger by this part of what it was."""


class LearningRateRange(NamedTuple):
    """What a range test found; printing it gives a summary, `tw.plot.learning_rate_range` a figure.

    - `rates`, `losses`: the rate of every step, and the loss after it. `smoothed`: their local averages, of losses that
      are cut off where they explode.
    - `suggestion`: the rate at which the smoothed loss falls most steeply over the logarithm of the rate; NaN where
      nothing falls.
    - `interval`: from the rate where the loss begins to fall to the one where it is lowest.
    - `message`: in a sentence.
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


class Sweep(Schedule):
    r"""A rate that grows by the same factor every step: \(\eta_t = \eta_0\,(\eta_T/\eta_0)^{t/T}\).

    - `low`, `high`: \(\eta_0\) and \(\eta_T\), > 0.
    - `steps`: \(T\).
    """

    low: float = real_field()
    high: float = real_field()
    steps: Any = duration_field()

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
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
    """Trains for a few steps with a rate that grows from `low` to `high`, and says at which one the loss falls best.

    - `problem`, `x0`, `batch_size`, `seed`, `model_state`: as in `minimize`. Nothing of the run is kept.
    - `rule`: a rule, or a solver around one. Its learning rate, in every group and wrapper, is replaced by the sweep.
    - `low`, `high`: the first and the last rate, 0 < low < high. `steps`: how many there are, >= 20.

    The run ends early where the loss explodes or is lost. The curve is smoothed by a line through the neighbours of
    every point, in a window that is widened until the steepest fall stands out from the noise. The suggestion is where
    that line is steepest, on the way down; a good constant rate is near it, and the peak of a schedule may be larger.

    **References** Smith 2017, arXiv:1506.01186, section 3.3; Smith 2018, arXiv:1803.09820.
    """
    check(low, high, steps)
    found, count = with_rate(as_solver(rule), Sweep(low, high, steps - 1))
    if not count:
        raise ValueError(f"learning_rate_range: {type(rule).__name__} has no learning_rate; give e.g. tw.SGD(0.1).")
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    # Nothing is validated: the test looks at the losses of its steps alone.
    problem = replace(problem, validation=None, validation_loss=None, metrics=None)
    losses: list[float] = []

    def watch(event: Event) -> str | None:
        losses.extend(np.asarray(event.trace.value, float))
        return "stop" if exploded(np.asarray(losses), steps) else None

    watching: dict[str, Any] = {"callbacks": [Every(LOOK, watch)], "on_failure": "ignore"}
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "model_state": model_state}
    result = minimize(problem, x0, found, stop=Steps(steps), **options, **watching)
    values = np.asarray(result.trace.value, float)
    # The loss in a row is that before the row's step.
    rates = low * (high / low) ** (np.arange(len(values) - 1) / (steps - 1))
    return judged(rates, values[1:], steps)


def check(low: Any, high: Any, steps: Any) -> None:
    """The numbers of the test."""
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ValueError(f"learning_rate_range({name}={value!r}): {name} must be a finite number > 0.")
    if low >= high:
        raise ValueError(f"learning_rate_range(low={low!r}, high={high!r}): low must be less than high.")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < FEWEST:
        raise ValueError(f"learning_rate_range(steps={steps!r}): steps must be a whole number >= {FEWEST}.")


def with_rate(node: Any, rate: Schedule) -> tuple[Any, int]:
    """A method with every learning rate in it replaced, and how many there were."""
    if type(node) is tuple:
        pairs = [with_rate(part, rate) for part in node]
        return tuple(part for part, _ in pairs), sum(count for _, count in pairs)
    if isinstance(node, OptaxRule):
        raise TypeError("learning_rate_range: Optax keeps its learning rate in a closure; give one of our rules.")
    if not isinstance(node, (Rule, Solver)):
        return node, 0
    changes, total = {}, 0
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        changes[field.name], count = (rate, 1) if field.name == "learning_rate" else with_rate(value, rate)
        total += count
    return replace(node, **changes), total


def exploded(losses: np.ndarray, steps: int) -> bool:
    """Whether the losses so far end above all that the rest of a test could bring down again."""
    if not np.isfinite(losses).all():
        return True
    weights = MEMORY ** np.arange(len(losses))[::-1]
    return bool(len(losses) >= LOOK and np.average(losses, weights=weights) > ceiling(losses, steps))


def ceiling(losses: np.ndarray, steps: int) -> float:
    """The loss beyond which a test has exploded: as far above its beginning as it ever fell below it."""
    first = beginning(losses, steps)
    near = max(LOOK // 2, 1)
    medians = [np.median(losses[max(i - near, 0) : i + near]) for i in range(len(losses))]
    return float(first + max(first - min(medians), CLEAR * noise(losses), RISE * abs(first)))


def beginning(losses: np.ndarray, steps: int) -> float:
    """The loss at rates that are too small to change it."""
    return float(np.median(losses[: max(steps // 10, 3)]))


def noise(losses: np.ndarray) -> float:
    """The standard deviation of what is no straight line: of second differences, which are sqrt(6) times as large."""
    differences = np.diff(losses, 2)
    return 1.4826 * float(np.median(np.abs(differences))) / math.sqrt(6) if len(differences) else 0.0


class Fit(NamedTuple):
    """A line through the neighbours of every point: value and slope, and their standard errors for noise of 1."""

    value: np.ndarray
    slope: np.ndarray
    value_error: np.ndarray
    slope_error: np.ndarray


def lines(losses: np.ndarray, width: float) -> Fit:
    """Straight lines by least squares with normal weights of so many steps."""
    offset = np.arange(len(losses))[None, :] - np.arange(len(losses))[:, None]
    w = np.exp(-0.5 * (offset / width) ** 2)
    s0, s1, s2 = ((w * offset**k).sum(axis=1) for k in range(3))
    det = s0 * s2 - s1**2
    value = w * (s2[:, None] - s1[:, None] * offset) / det[:, None]
    slope = w * (s0[:, None] * offset - s1[:, None]) / det[:, None]
    errors = (np.sqrt((weights**2).sum(axis=1)) for weights in (value, slope))
    return Fit(value @ losses, slope @ losses, *errors)


def judged(rates: np.ndarray, losses: np.ndarray, steps: int) -> LearningRateRange:
    """The curve smoothed, its steepest fall, and where it begins to fall and ends."""
    finite = int(np.argmin(np.isfinite(losses))) if not np.isfinite(losses).all() else len(losses)
    seen = losses[:finite]
    if finite < LOOK // 2:
        return nothing(rates, losses, f"the loss is lost within {finite + 1} steps: lower low=.")
    spread = noise(seen)
    seen = np.minimum(seen, ceiling(seen, steps))
    for width in WIDTHS:
        fit = lines(seen, max(width * steps, 1.0))
        lowest = int(np.argmin(fit.value))
        steepest = int(np.argmin(fit.slope[: lowest + 1]))
        if -fit.slope[steepest] > CLEAR * spread * fit.slope_error[steepest]:
            break
    smoothed = np.concatenate([fit.value, np.full(len(losses) - finite, np.nan)])
    first, count = beginning(seen, steps), max(steps // 10, 3)
    fall = first - fit.value[lowest]
    # A median of n normal numbers has the variance pi / 2n.
    error = spread * math.sqrt(fit.value_error[lowest] ** 2 + math.pi / (2 * count))
    if not fall > max(CLEAR * error, FLAT * abs(first)) or fit.slope[steepest] >= 0:
        text = f"nothing falls between {rates[0]:.3g} and {rates[-1]:.3g}: "
        cure = "lower low=." if finite < len(losses) or len(losses) < steps else "raise high=, or take more steps=."
        return nothing(rates, losses, text + cure, smoothed)
    early = np.flatnonzero(fit.value[: lowest + 1] > first - BEGUN * fall)
    begin = min(int(early[-1]) + 1 if len(early) else 0, steepest)
    interval = (float(rates[begin]), float(rates[lowest]))
    message = f"the loss falls most steeply at a rate of {rates[steepest]:.3g}."
    if lowest == len(losses) - 1 == steps - 1:
        message += " It is still falling at the end: raise high=."
    return LearningRateRange(rates, losses, smoothed, float(rates[steepest]), interval, message)


def nothing(
    rates: np.ndarray, losses: np.ndarray, message: str, smoothed: np.ndarray | None = None
) -> LearningRateRange:
    """A test without a suggestion."""
    smoothed = np.full(len(losses), np.nan) if smoothed is None else smoothed
    return LearningRateRange(rates, losses, smoothed, math.nan, (math.nan, math.nan), message)
