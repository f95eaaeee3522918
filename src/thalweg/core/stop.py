"""When is it enough? Rules over one view of the run, joined with `|` (the first that fires) and `&` (all)."""

import abc
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, check_positive, fail, is_tracer, number, real_field
from thalweg.core.status import Status
from thalweg.core.tree import max_abs, subtract
from thalweg.core.types import Info, Params, Scalar, ScalarLike, State, real


class Host(NamedTuple):
    """What only the host knows, refreshed at the start of every chunk."""

    seconds: ScalarLike
    validation: ScalarLike
    n_validations: ScalarLike
    steps_per_epoch: ScalarLike


class View(NamedTuple):
    """What a stop rule sees after a step: `info` describes `x`; the step led from `x` to `x_next`.

    `step` counts completed steps.
    """

    step: Scalar
    info: Info
    x: Params
    x_next: Params
    host: Host

    @property
    def epoch(self) -> Scalar:
        """Completed passes over the data."""
        return real(self.step) / real(self.host.steps_per_epoch)

    @property
    def step_norm(self) -> Scalar:
        """Largest entry of the step, computed only if a rule asks."""
        return real(max_abs(subtract(self.x_next, self.x)))


def fires(condition: Scalar, status: Status) -> Scalar:
    """`status` where the condition holds, else RUNNING."""
    return jnp.where(condition, status.value, Status.RUNNING.value).astype(jnp.int32)


class Stop(eqx.Module):
    """A stop rule: `init()` is its state; a call returns the new state and a status, RUNNING to go on."""

    @abc.abstractmethod
    def init(self) -> State:
        """The state before the first step; `()` for a rule without memory."""

    @abc.abstractmethod
    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """The state after this step, and the verdict."""

    def __or__(self, other: "Stop") -> "AnyOf":
        return AnyOf((self, other))

    def __and__(self, other: "Stop") -> "AllOf":
        return AllOf((self, other))


class GradNorm(Stop):
    r"""CONVERGED once the first-order residual (`Info.optimality`) is at most `tolerance`.

    The residual is the largest entry of the gradient, of the prox-gradient step, or of the KKT system, by the
    problem's structure; its unit is that of the objective over that of `x`. Whole data only.
    """

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.info.optimality <= self.tolerance, Status.CONVERGED)


class StepNorm(Stop):
    """STOPPED once the largest entry of a step is at most `tolerance`, in the unit of `x`."""

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.step_norm <= self.tolerance, Status.STOPPED)


class ValueChange(Stop):
    """STOPPED once the value changes by at most `tolerance` between two steps."""

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """The value one step ago."""
        return real(jnp.nan)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        change = jnp.abs(view.info.value - state)
        return real(view.info.value), fires(change <= self.tolerance, Status.STOPPED)


class Target(Stop):
    """STOPPED once the value is at most `value`."""

    value: float = real_field()

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.info.value <= self.value, Status.STOPPED)


class Patience(Stop):
    """STOPPED after `count` validations in a row without a new lowest validation value."""

    count: int = real_field()

    def __check_init__(self):
        check_whole(self, "count")

    def init(self) -> State:
        """Lowest value, its number, and the number of validations seen."""
        return real(jnp.inf), real(0), real(0)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        lowest, lowest_at, seen = state
        now, value = real(view.host.n_validations), view.host.validation
        better = (now > seen) & (value < lowest)
        lowest, lowest_at = jnp.where(better, value, lowest), jnp.where(better, now, lowest_at)
        return (lowest, lowest_at, now), fires(now - lowest_at >= self.count, Status.STOPPED)


class Steps(Stop):
    """STEP_LIMIT after `count` steps. Inside a schedule: a duration of that many steps."""

    count: int = real_field()

    def __check_init__(self):
        check_whole(self, "count")

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.step >= jnp.asarray(self.count).astype(jnp.int32), Status.STEP_LIMIT)


class Epochs(Stop):
    """STEP_LIMIT after `count` passes over the data. Inside a schedule: a duration of that length.

    On whole data one step is one epoch.
    """

    count: float = real_field()

    def __check_init__(self):
        check_positive(self, "count")

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.epoch >= self.count, Status.STEP_LIMIT)


class Evaluations(Stop):
    """STEP_LIMIT once the objective's value was asked for `count` times; the step in progress is finished."""

    count: int = real_field()

    def __check_init__(self):
        check_whole(self, "count")

    def init(self) -> State:
        """Evaluations so far."""
        return jnp.zeros((), jnp.int32)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        total = state + view.info.evals.value
        return total, fires(total >= jnp.asarray(self.count).astype(jnp.int32), Status.STEP_LIMIT)


class Seconds(Stop):
    """TIME_LIMIT once the run has lasted `seconds`, compilation included; looked at between chunks."""

    seconds: float = real_field()

    def __check_init__(self):
        check_positive(self, "seconds")

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        return state, fires(view.host.seconds >= self.seconds, Status.TIME_LIMIT)


class Never(Stop):
    """Goes on for ever: for the pure loop, whose `limit` ends it."""

    def init(self) -> State:
        """No memory."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """RUNNING."""
        return state, fires(jnp.asarray(False), Status.STOPPED)


class AnyOf(Stop):
    """`a | b`: the first rule that fires; of two at once, the one further left."""

    rules: tuple[Stop, ...]

    def init(self) -> State:
        """The rules' states, and which of them fired."""
        return tuple(rule.init() for rule in self.rules), jnp.asarray(-1, jnp.int32)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        states, verdicts = judge(self.rules, state[0], view)
        status, fired = jnp.asarray(0, jnp.int32), jnp.asarray(-1, jnp.int32)
        for i, verdict in reversed(list(enumerate(verdicts))):
            hit = verdict != Status.RUNNING.value
            status, fired = jnp.where(hit, verdict, status), jnp.where(hit, i, fired).astype(jnp.int32)
        return (states, fired), status


class AllOf(Stop):
    """`a & b`: once every rule fires at the same step; the status is the leftmost's."""

    rules: tuple[Stop, ...]

    def init(self) -> State:
        """The rules' states."""
        return tuple(rule.init() for rule in self.rules)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
        states, verdicts = judge(self.rules, state, view)
        every = functools.reduce(jnp.logical_and, [v != Status.RUNNING.value for v in verdicts])
        return states, jnp.where(every, verdicts[0], Status.RUNNING.value).astype(jnp.int32)


def judge(rules: tuple[Stop, ...], states: State, view: View) -> tuple[State, list[Scalar]]:
    """Every rule's new state and verdict."""
    out = [rule(state, view) for rule, state in zip(rules, states, strict=True)]
    return tuple(state for state, _ in out), [verdict for _, verdict in out]


def check_whole(owner: Any, *names: str) -> None:
    """Each named field a whole number >= 1 (kept as a traced float, so that another one does not recompile)."""
    for name in names:
        value = getattr(owner, name)
        if is_tracer(value):
            continue
        if not isinstance(value, float) or value < 1 or value != int(value):
            fail(owner, name, value, "a whole number >= 1")


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


def rules_of(stop: Any) -> Iterator[Stop]:
    """Every simple rule inside `stop`."""
    if isinstance(stop, (AnyOf, AllOf)):
        for rule in stop.rules:
            yield from rules_of(rule)
    else:
        yield stop


def fired(stop: Stop, state: State) -> Stop:
    """The simple rule that ended the run."""
    if isinstance(stop, AnyOf):
        states, index = state
        return fired(stop.rules[int(index)], states[int(index)])
    return stop


def length(stop: Stop, steps_per_epoch: float | None) -> float | None:
    """The most steps that a run under `stop` can last; None if no rule bounds it."""
    if isinstance(stop, Steps):
        return stop.count
    if isinstance(stop, Epochs) and steps_per_epoch is not None:
        return stop.count * steps_per_epoch
    if isinstance(stop, (AnyOf, AllOf)):
        lengths = [length(rule, steps_per_epoch) for rule in stop.rules]
        known = [n for n in lengths if n is not None]
        if isinstance(stop, AllOf):
            return max(known) if len(known) == len(lengths) else None
        return min(known, default=None)
    return None


def resolve(tree: Any, steps_per_epoch: float | None, steps: float | None) -> Any:
    """`tree` with every duration in steps: epochs by their length, `None` by the run's."""
    durations = (Epochs, WholeRun)

    def one(leaf):
        if isinstance(leaf, Epochs):
            if steps_per_epoch is None:
                raise ValueError(f"{leaf!r} needs data to know how long an epoch is: give whole steps instead.")
            return Duration(float(round(leaf.count * steps_per_epoch)))
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
