"""Schedules composed of numbers or of other schedules: piecewise, joined, scaled."""

import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.duration import as_duration, check_duration, known_steps, parts_field, steps_in_words, steps_of
from thalweg.core.fields import check_choice, check_nonnegative, fail, is_tracer, number, real_field, static_field
from thalweg.core.types import Scalar, real
from thalweg.schedules.schedule import Schedule, check_schedule, half_cosine, rate_of, schedule_of, steps_since
from thalweg.schedules.warmup import steps_left

_INTERPOLATIONS = ("constant", "linear", "cosine")


def _convert_each(convert: Callable[[Any], Any]) -> Callable[[Any], tuple]:
    """Returns a converter of every entry of a list or tuple by `convert`; anything else is a single entry."""
    return lambda value: tuple(convert(entry) for entry in (value if isinstance(value, (list, tuple)) else (value,)))


def _tuple_field(convert: Callable[[Any], Any]) -> Any:
    """Returns a dataclass field for a tuple of what `convert` returns, which may be given as a single entry."""
    return eqx.field(converter=_convert_each(convert))


def _segment_lengths(owner: "Join", steps: float | None) -> tuple:
    """Returns the length of every schedule in a join: from its boundary to the next, or to the end of the run."""
    ends = [known_steps(duration) for duration in owner.boundaries]
    last = ends[-1]
    if steps is not None and last is not None and last >= steps:
        raise ValueError(
            f"Join(boundaries=...): the last schedule begins at step {steps_in_words(last)}, but the run has only "
            f"{steps_in_words(steps)} steps; lower the last boundary, or let the run last longer."
        )
    pairs = zip([0.0, *ends], ends, strict=False)
    between = [None if begin is None or end is None else end - begin for begin, end in pairs]
    return (*between, steps_left(steps, owner.boundaries[-1]))


class Piecewise(Schedule):
    r"""Rates given at certain steps, constant in between or interpolated.

    With boundaries \(b_0 = 0 < b_1 < \dots < b_n\) and rates \(v_0, \dots, v_n\): for \(b_i \le t < b_{i+1}\)
    \(\eta_t = v_i\) ("constant"), or \(\eta_t = v_{i+1} + (v_i - v_{i+1})\,h\bigl(\tfrac{t-b_i}{b_{i+1}-b_i}\bigr)\)
    with \(h(p) = 1-p\) ("linear") or \(\tfrac12(1+\cos\pi p)\) ("cosine"); \(\eta_t = v_n\) from \(b_n\) on.

    - `boundaries`: \(b_1, \dots, b_n\) in increasing order; each whole steps or `tw.Epochs(n)`.
    - `values`: \(v_0, \dots, v_n\), >= 0; one more than there are boundaries.
    - `between`: the interpolation, "constant", "linear" or "cosine".
    """

    boundaries: Any = _tuple_field(as_duration)
    values: Any = _tuple_field(number)
    between: str = static_field("constant")

    def __check_init__(self):
        _check_boundaries(self, "values")
        for value in self.values:
            if not is_tracer(value) and not (isinstance(value, float) and 0 <= value < jnp.inf):
                fail(self, "values", self.values, "finite numbers >= 0")
        check_choice(self, "between", _INTERPOLATIONS)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        rate, begin = real(self.values[0]), real(0.0)
        for i, duration in enumerate(self.boundaries):
            end, after = steps_of(self, "boundaries", duration), real(self.values[i + 1])
            if self.between != "constant":
                p = jnp.clip((real(step) - begin) / (end - begin), 0, 1)
                weight = half_cosine(p) if self.between == "cosine" else 1 - p
                rate = jnp.where(real(step) >= begin, after + (self.values[i] - after) * weight, rate)
            rate = jnp.where(real(step) >= end, after, rate)
            begin = end
        return rate


class Join(Schedule):
    r"""Schedules one after the other; the steps of each are counted from its own beginning.

    \(\eta_t = s_i(t - b_i)\) for \(b_i \le t < b_{i+1}\), with \(b_0 = 0\) and \(b_{n+1} = \infty\).

    - `schedules`: \(s_0, \dots, s_n\): schedules, functions of the step, or numbers for constant rates. A length of
      None in one of them means the distance to the next boundary, or to the end of the run.
    - `boundaries`: \(b_1, \dots, b_n\) in increasing order; each whole steps or `tw.Epochs(n)`.
    """

    schedules: Any = parts_field(_segment_lengths, converter=_convert_each(schedule_of))
    boundaries: Any = _tuple_field(as_duration)

    def __check_init__(self):
        _check_boundaries(self, "schedules")
        for schedule in self.schedules:
            check_schedule(self, "schedules", schedule)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        rate = rate_of(self.schedules[0], step)
        for schedule, duration in zip(self.schedules[1:], self.boundaries, strict=True):
            begin = steps_of(self, "boundaries", duration)
            rate = jnp.where(real(step) >= begin, rate_of(schedule, steps_since(step, begin)), rate)
        return rate


class Scaled(Schedule):
    r"""A schedule times a factor: \(\eta_t = c\,s_t\).

    - `schedule`: \(s\), a schedule or any function of the step.
    - `factor`: \(c\) >= 0.
    """

    schedule: Any = eqx.field(converter=schedule_of)
    factor: float = real_field()

    def __check_init__(self):
        check_schedule(self, "schedule", self.schedule)
        check_nonnegative(self, "factor")

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        return self.factor * rate_of(self.schedule, step)


def _check_boundaries(owner: Piecewise | Join, name: str) -> None:
    """Checks that boundaries increase, and that there is one fewer than there are entries."""
    check_duration(owner, "boundaries", whole_run=False)
    entries, count = getattr(owner, name), len(owner.boundaries)
    kind = type(owner).__name__
    if len(entries) < 2:
        raise ValueError(f"{kind}: give at least two {name}, not {len(entries)}.")
    if len(entries) != count + 1:
        raise ValueError(f"{kind}: {len(entries)} {name} need {len(entries) - 1} boundaries, not {count}.")
    steps = [known for known in map(known_steps, owner.boundaries) if known is not None]
    if any(b <= a for a, b in itertools.pairwise(steps)):
        shown = ", ".join(steps_in_words(s) for s in steps)
        raise ValueError(f"{kind}(boundaries=[{shown}]): boundaries must increase.")
