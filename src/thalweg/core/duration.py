"""Lengths in steps or epochs: of schedules, and of runs."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from thalweg.core.fields import number, real_field, replace
from thalweg.core.stop import SLACK, AllOf, AnyOf, Epochs, Steps, Stop
from thalweg.core.types import Scalar, real


class WholeRun(eqx.Module):
    """A duration as long as the run, replaced by a `Duration` once the run's stop rule is known."""


class Duration(eqx.Module):
    """A number of steps inside a schedule, as a traced float: another length never recompiles.

    Whether the number makes sense is checked by the owner (`check_duration`), whose name the user knows.
    """

    steps: float = real_field()


def duration_field(default: Any = ..., *, within_run: bool = False) -> Any:
    """A dataclass field for whole steps, `tw.Epochs(n)`, or None for the length of the run.

    `within_run`: longer than the run is a mistake, and refused when the run is known.
    """
    given = {} if default is ... else {"default": default}
    return eqx.field(converter=as_duration, metadata={"within_run": within_run}, **given)


def parts_field(spans: Callable[[Any, float | None], tuple], *, converter: Callable[[Any], Any]) -> Any:
    """A dataclass field for a part, or a tuple of parts, that do not begin and end with the run.

    `spans(owner, steps)` says for each part how many of the run's steps (None: not known) are its own; they are what
    None means inside it.
    """
    return eqx.field(converter=converter, metadata={"spans": spans})


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


def _steps_in(epochs: float, steps_per_epoch: float) -> float:
    """Whole steps after which this many passes over the data are completed."""
    return float(math.ceil(epochs * steps_per_epoch - SLACK))


def length(stop: Stop, steps_per_epoch: float | None) -> float | None:
    """The most steps that a run under `stop` can last; None if no rule bounds it."""
    if isinstance(stop, Steps):
        return stop.count
    if isinstance(stop, Epochs) and steps_per_epoch is not None:
        return _steps_in(stop.count, steps_per_epoch)
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


_LENGTHS = (Duration, Epochs, WholeRun)


def resolve(tree: Any, steps_per_epoch: float | None, steps: float | None) -> Any:
    """`tree` with every duration in steps: epochs by their length, `None` by the run's."""
    leaves = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, _LENGTHS))
    return _known(tree, steps_per_epoch, steps) if any(isinstance(leaf, _LENGTHS) for leaf in leaves) else tree


def _known(node: Any, steps_per_epoch: float | None, steps: float | None) -> Any:
    """`resolve` of one node; a module that has durations checks its fields again, now that the lengths are known."""
    if isinstance(node, Epochs):
        if steps_per_epoch is None:
            raise ValueError(
                f"{node!r} needs data to know how long an epoch is: give whole steps instead, or "
                "tw.Stream(source, steps_per_epoch=n)."
            )
        return Duration(_steps_in(node.count, steps_per_epoch))
    if isinstance(node, WholeRun):
        if steps is None:
            raise ValueError(
                "A schedule as long as the run needs a stop rule with a length: add `| tw.Steps(n)` to stop=, "
                "or give the schedule its own number of steps."
            )
        return Duration(float(round(steps)))
    if not isinstance(node, eqx.Module):
        return jax.tree.map(
            lambda part: _known(part, steps_per_epoch, steps) if isinstance(part, eqx.Module) else part,
            node,
            is_leaf=lambda part: isinstance(part, eqx.Module),
        )
    fields = [field for field in dataclasses.fields(node) if not field.metadata.get("static")]
    whole = [field.name for field in fields if "spans" not in field.metadata]
    node = replace(node, **{name: _known(getattr(node, name), steps_per_epoch, steps) for name in whole})
    for field in fields:
        if "spans" in field.metadata:
            parts, spans = getattr(node, field.name), field.metadata["spans"](node, steps)
            found = tuple(
                _known(part, steps_per_epoch, span) for part, span in zip(_as_tuple(parts), spans, strict=True)
            )
            node = replace(node, **{field.name: found if isinstance(parts, tuple) else found[0]})
        elif field.metadata.get("within_run"):
            _check_within(node, field.name, steps)
    return dataclasses.replace(node) if _has_duration(node) else node


def _has_duration(node: eqx.Module) -> bool:
    """Whether one of a module's own fields is a duration in steps, or holds several."""
    values = (getattr(node, field.name) for field in dataclasses.fields(node))
    return any(isinstance(entry, Duration) for value in values for entry in _as_tuple(value))


def _as_tuple(value: Any) -> tuple:
    """A tuple as it is, anything else as the only entry of one."""
    return value if isinstance(value, tuple) else (value,)


def in_steps(owner: Any, name: str) -> Scalar:
    """A duration's number of steps. Only the run knows how long an epoch, or the run itself, is."""
    return steps_of(owner, name, getattr(owner, name))


def steps_of(owner: Any, name: str, duration: Any) -> Scalar:
    """The steps of one duration, for the sentence that names its owner and field."""
    if not isinstance(duration, Duration):
        raise ValueError(f"{owner!r} has no length outside minimize: give {name} in whole steps to call it yourself.")
    return real(duration.steps)


def known_steps(duration: Any) -> float | None:
    """A duration's number of steps as a plain number; None before it is known, or where it is traced."""
    steps = duration.steps if isinstance(duration, Duration) else None
    return steps if isinstance(steps, float) else None


def check_duration(owner: Any, *names: str, low: int = 1, whole_run: bool = True) -> None:
    """Each named field a whole number of steps >= `low`, where it is known already; None only if `whole_run`."""
    for name in names:
        for duration in _as_tuple(getattr(owner, name)):
            steps = known_steps(duration)
            shown = None if isinstance(duration, WholeRun) else steps_in_words(steps)
            wrong = steps is not None and not (low <= steps < math.inf and steps == int(steps))
            if wrong or (isinstance(duration, WholeRun) and not whole_run):
                choices = " or tw.Epochs(n)" if not whole_run else ", tw.Epochs(n), or None for the length of the run"
                raise ValueError(
                    f"{type(owner).__name__}({name}={shown}): {name} must be a whole number of steps >= {low}{choices}."
                )


def _check_within(owner: Any, name: str, steps: float | None) -> None:
    """The field lasts no longer than the steps that there are."""
    duration = known_steps(getattr(owner, name))
    if steps is not None and duration is not None and duration > steps:
        raise ValueError(
            f"{type(owner).__name__}({name}={steps_in_words(duration)}): the warm-up is longer than the "
            f"{steps_in_words(steps)} steps that there are; shorten it, or let the run last longer."
        )


def steps_in_words(steps: float | None) -> str:
    """A number of steps as the user writes it."""
    return str(int(steps)) if steps is not None and math.isfinite(steps) and steps == int(steps) else str(steps)
