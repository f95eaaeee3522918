"""When is it enough? Rules over one view of the run, joined with `|` (the first that fires) and `&` (all)."""

import abc
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core.fields import check_nonnegative, check_positive, fail, is_tracer, real_field
from thalweg.core.status import Status
from thalweg.core.tree import max_abs, subtract
from thalweg.core.types import Info, Params, Scalar, ScalarLike, State, real, widest


class Host(NamedTuple):
    """What only the host knows, refreshed at the start of every chunk: one array, because every argument costs."""

    numbers: Any

    @property
    def seconds(self) -> Scalar:
        """Wall time of the run so far."""
        return self.numbers[0]

    @property
    def validation(self) -> Scalar:
        """The latest validation value; infinity before the first."""
        return self.numbers[1]

    @property
    def validated(self) -> Scalar:
        """The step of that validation; -1 before the first."""
        return self.numbers[2]

    @property
    def epoch(self) -> Scalar:
        """Passes over the data that were completed before step `since`."""
        return self.numbers[3]

    @property
    def since(self) -> Scalar:
        """The step from which `steps_per_epoch` counts."""
        return self.numbers[4]

    @property
    def steps_per_epoch(self) -> Scalar:
        """Steps of a pass; infinity while a stream has not told."""
        return self.numbers[5]

    @property
    def look(self) -> Scalar:
        """1 for the step that is made only to learn what is true of the last point, else 0."""
        return self.numbers[6]

    def looking(self, look: Scalar) -> "Host":
        """The same numbers, for a step of this kind."""
        return Host(jnp.asarray(self.numbers).at[6].set(real(look)))


def make_host(
    seconds: float = 0.0,
    validation: float = np.inf,
    validated: float = -1,
    epoch: float = 0,
    since: float = 0,
    steps_per_epoch: float = 1.0,
    look: float = 0,
) -> Host:
    """The host's numbers in the trace's dtype."""
    numbers = (seconds, validation, validated, epoch, since, steps_per_epoch, look)
    return Host(np.asarray(numbers, widest()))


class View(NamedTuple):
    """What a stop rule sees after a step, which led from `x` to `x_next`, and about which `info` reports.

    `step` counts completed steps. `sign` times `info.value` is the value in the user's sign (-1: it is maximized).
    """

    step: Scalar
    info: Info
    x: Params
    x_next: Params
    host: Host
    sign: int = 1

    def passes(self, epochs: ScalarLike) -> Scalar:
        """Whether this many passes over the data are completed."""
        steps = (epochs - self.host.epoch) * self.host.steps_per_epoch  # of an unknown number, also 0 * inf
        return (epochs <= self.host.epoch) | (real(self.step) - self.host.since >= steps - SLACK)

    @property
    def step_norm(self) -> Scalar:
        """Largest entry of the step, computed only if a rule asks."""
        return real(max_abs(subtract(self.x_next, self.x)))


SLACK = 0.01
"""Of a step: the rounding of a fraction of an epoch."""


def _fires(condition: Scalar, status: Status) -> Scalar:
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
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """CONVERGED where the residual is small enough."""
        return state, _fires(view.info.optimality <= self.tolerance, Status.CONVERGED)


class StepNorm(Stop):
    """STOPPED once the largest entry of a step is at most `tolerance`, in the unit of `x`."""

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """STOPPED where the step is small enough."""
        return state, _fires(view.step_norm <= self.tolerance, Status.STOPPED)


class ValueChange(Stop):
    """STOPPED once the value changes by at most `tolerance` between two steps."""

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """The value one step ago."""
        return real(jnp.nan)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """The value, and STOPPED where it hardly changed."""
        change = jnp.abs(view.info.value - state)
        return real(view.info.value), _fires(change <= self.tolerance, Status.STOPPED)


class Target(Stop):
    """STOPPED once the value is at most `value`."""

    value: float = real_field()

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """STOPPED where the value is low enough."""
        return state, _fires(view.info.value <= view.sign * self.value, Status.STOPPED)


class Patience(Stop):
    """STOPPED after `count` validations in a row without a new lowest validation value."""

    count: int = real_field()

    def __check_init__(self):
        _check_whole(self, "count")

    def init(self) -> State:
        """Lowest value, validations since then, and the step of the latest one seen."""
        return real(jnp.inf), real(0), real(-1)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """The lowest validation value and the validations since, and STOPPED where they are too many."""
        lowest, since, seen = state
        new, value = view.host.validated > seen, view.host.validation
        better = new & (value < lowest)
        since = jnp.where(better, real(0), since + real(new))
        state = jnp.where(better, value, lowest), since, jnp.maximum(seen, view.host.validated)
        return state, _fires(since >= self.count, Status.STOPPED)


class Steps(Stop):
    """STEP_LIMIT after `count` steps. Inside a schedule: a duration of that many steps."""

    count: int = real_field()

    def __check_init__(self):
        _check_whole(self, "count")

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """STEP_LIMIT where enough steps are made."""
        return state, _fires(view.step >= jnp.asarray(self.count).astype(jnp.int32), Status.STEP_LIMIT)


class Epochs(Stop):
    """STEP_LIMIT after `count` passes over the data. Inside a schedule: a duration of that length.

    On whole data one step is one epoch.
    """

    count: float = real_field()

    def __check_init__(self):
        check_positive(self, "count")

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """STEP_LIMIT where enough passes over the data are completed."""
        return state, _fires(view.passes(self.count), Status.STEP_LIMIT)


class Evaluations(Stop):
    """STEP_LIMIT once the objective's value was asked for `count` times; the step in progress is finished."""

    count: int = real_field()

    def __check_init__(self):
        _check_whole(self, "count")

    def init(self) -> State:
        """Evaluations so far."""
        return jnp.zeros((), jnp.int32)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """The evaluations so far, and STEP_LIMIT where they are enough."""
        total = state + view.info.evals.value
        return total, _fires(total >= jnp.asarray(self.count).astype(jnp.int32), Status.STEP_LIMIT)


class Seconds(Stop):
    """TIME_LIMIT once the run has lasted `seconds`, compilation included; looked at between chunks."""

    seconds: float = real_field()

    def __check_init__(self):
        check_positive(self, "seconds")

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """TIME_LIMIT where the time is up."""
        return state, _fires(view.host.seconds >= self.seconds, Status.TIME_LIMIT)


class Never(Stop):
    """Never ends a run: for the pure loop, whose `limit` ends it."""

    def init(self) -> State:
        """An empty state: the rule remembers nothing."""
        return ()

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """RUNNING at every step."""
        return state, _fires(jnp.asarray(False), Status.STOPPED)


class AnyOf(Stop):
    """`a | b`: the first rule that fires; of two at once, the one further left."""

    rules: tuple[Stop, ...]

    def init(self) -> State:
        """The rules' states, and which of them fired."""
        return tuple(rule.init() for rule in self.rules), jnp.asarray(-1, jnp.int32)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """The states of all rules, and the verdict of the first that fires."""
        states, found = _verdicts(self.rules, state[0], view)
        status, fired = jnp.asarray(0, jnp.int32), jnp.asarray(-1, jnp.int32)
        for i, verdict in reversed(list(enumerate(found))):
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
        """The states of all rules, and the verdict of the leftmost where all fire."""
        states, found = _verdicts(self.rules, state, view)
        every = functools.reduce(jnp.logical_and, [v != Status.RUNNING.value for v in found])
        return states, jnp.where(every, found[0], Status.RUNNING.value).astype(jnp.int32)


def _verdicts(rules: tuple[Stop, ...], states: State, view: View) -> tuple[State, list[Scalar]]:
    """Every rule's new state and verdict."""
    out = [rule(state, view) for rule, state in zip(rules, states, strict=True)]
    return tuple(state for state, _ in out), [verdict for _, verdict in out]


def _check_whole(owner: Any, *names: str) -> None:
    """Each named field a whole number >= 1 (kept as a traced float, so that another one does not recompile)."""
    for name in names:
        value = getattr(owner, name)
        if is_tracer(value):
            continue
        if not isinstance(value, float) or value < 1 or value != int(value):
            fail(owner, name, value, "a whole number >= 1")


def rules_of(stop: Any) -> Iterator[Stop]:
    """Every simple rule inside `stop`."""
    if isinstance(stop, (AnyOf, AllOf)):
        for rule in stop.rules:
            yield from rules_of(rule)
    else:
        yield stop


def fired(stop: Stop, state: State, status: Status) -> Stop:
    """The simple rule that ended the run. Its number is read only where several could have: a read takes 50 us."""
    if isinstance(stop, AnyOf):
        states, index = state
        tests = [i for i, rule in enumerate(stop.rules) if any(isinstance(r, GradNorm) for r in rules_of(rule))]
        place = tests[0] if status == Status.CONVERGED and len(tests) == 1 else int(index)
        return fired(stop.rules[place], states[place], status)
    return stop
