"""Lengths in steps or epochs: of schedules, and of runs."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax

from thalweg.core.fields import check_nonnegative, fail, number, real_field
from thalweg.core.stop import SLACK, AllOf, AnyOf, Epochs, Steps, Stop


class WholeRun(eqx.Module):
    """A duration as long as the run, replaced by a `Duration` once the run's stop rule is known."""


class Duration(eqx.Module):
    """A number of steps inside a schedule, as a traced float: another length never recompiles."""

    steps: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "steps")
        if isinstance(self.steps, float) and self.steps != int(self.steps):
            fail(self, "steps", self.steps, "a whole number >= 0")


def as_duration(value: Any) -> Any:
    """Whole steps, `tw.Steps`, `tw.Epochs`, or None for the whole run; anything else is refused."""
    if value is None:
        return WholeRun()
    if isinstance(value, Steps):
        return Duration(value.count)
    if isinstance(value, (Epochs, Duration, WholeRun)):
        return value
    if isinstance(number(value), float):
        return Duration(value)
    raise TypeError(f"{value!r} is not a duration: give whole steps, tw.Epochs(n), or None for the whole run.")


def steps_in(epochs: float, steps_per_epoch: float) -> float:
    """Whole steps after which this many passes over the data are completed."""
    return float(math.ceil(epochs * steps_per_epoch - SLACK))


def length(stop: Stop, steps_per_epoch: float | None) -> float | None:
    """The most steps that a run under `stop` can last; None if no rule bounds it."""
    if isinstance(stop, Steps):
        return stop.count
    if isinstance(stop, Epochs) and steps_per_epoch is not None:
        return steps_in(stop.count, steps_per_epoch)
    if isinstance(stop, (AnyOf, AllOf)):
        lengths = [length(rule, steps_per_epoch) for rule in stop.rules]
        known = [n for n in lengths if n is not None]
        if isinstance(stop, AllOf):
            return max(known) if len(known) == len(lengths) else None
        return min(known, default=None)
    return None


def over(stop: Stop, step: int, epochs: float | None, steps_per_epoch: float | None) -> Stop | None:
    """The rule by which a run that goes on from `step`, after so many `epochs`, has come to its end already."""
    if isinstance(stop, AnyOf):
        reached = (over(rule, step, epochs, steps_per_epoch) for rule in stop.rules)
        return next((rule for rule in reached if rule is not None), None)
    if isinstance(stop, AllOf):
        return stop if all(over(rule, step, epochs, steps_per_epoch) is not None for rule in stop.rules) else None
    if isinstance(stop, Epochs) and steps_per_epoch is None:
        return stop if epochs is not None and epochs >= stop.count else None
    most = length(stop, steps_per_epoch)
    return stop if most is not None and step >= most else None


def resolve(tree: Any, steps_per_epoch: float | None, steps: float | None) -> Any:
    """`tree` with every duration in steps: epochs by their length, `None` by the run's."""
    durations = (Epochs, WholeRun)

    def one(leaf):
        if isinstance(leaf, Epochs):
            if steps_per_epoch is None:
                raise ValueError(
                    f"{leaf!r} needs data to know how long an epoch is: give whole steps instead, or "
                    "tw.Stream(source, steps_per_epoch=n)."
                )
            return Duration(steps_in(leaf.count, steps_per_epoch))
        if isinstance(leaf, WholeRun):
            if steps is None:
                raise ValueError(
                    "A schedule as long as the run needs a stop rule with a length: add `| tw.Steps(n)` to stop=, "
                    "or give the schedule its own number of steps."
                )
            return Duration(float(round(steps)))
        return leaf

    if not any(
        isinstance(leaf, durations) for leaf in jax.tree.leaves(tree, is_leaf=lambda v: isinstance(v, durations))
    ):
        return tree
    resolved = jax.tree.map(one, tree, is_leaf=lambda v: isinstance(v, durations))
    for node in filter(has_duration, jax.tree.leaves(resolved, is_leaf=has_duration)):
        dataclasses.replace(node)  # checks its fields again, now that the lengths are known
    return resolved


def has_duration(node: Any) -> bool:
    """Whether one of a module's own fields is a duration in steps."""
    if not isinstance(node, eqx.Module):
        return False
    return any(isinstance(getattr(node, field.name), Duration) for field in dataclasses.fields(node))
