"""The host's side of a run: calls chunks, validates, calls back, and finds the point that the user gets.

Chunks are cut where something is due (a callback, a validation), else by time; where they are cut never changes
a number. Points that were passed are found again by replaying their chunk from the carry that it started with.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import GradNorm, Host, Stop, Target, fired
from thalweg.core.trace import Trace, unpack
from thalweg.core.types import Params
from thalweg.core.variables import rejoin
from thalweg.run.callbacks import Callback, Event, period
from thalweg.run.chunks import Engine, Task, host_values
from thalweg.run.interrupt import interruptible
from thalweg.run.lowest import lowest, rank
from thalweg.run.result import Point
from thalweg.run.validation import Validator

AT_POINT = (GradNorm, Target)
"""Rules whose verdict is about `x_t`: the run returns that point, not the one the step went on to."""


def is_at_point(status: Status, rule: Stop | None) -> bool:
    """Whether a run that ended so returns the point of its last row."""
    return status == Status.CONVERGED or isinstance(rule, AT_POINT)


def running(carry: Carry) -> Carry:
    """The carry of a run that ended, ready to go on."""
    return carry._replace(status=np.full(np.shape(carry.status), Status.RUNNING.value, np.int32))


class Segment(NamedTuple):
    """What a chunk was called with, kept so that it can be replayed."""

    task: Task
    carry: Carry | None
    host: Host
    step: int


class Lowest(NamedTuple):
    """The lowest point so far: its rank, its step, and the segment that leads to it."""

    rank: tuple[bool, float]
    step: int
    segment: Segment


class Outcome(NamedTuple):
    """The end of a run, before it is put into words."""

    x: Params
    status: Status
    rule: Stop | None
    row: int
    steps: int


class Run:
    """One run in progress."""

    def __init__(
        self,
        task: Task,
        engine: Engine,
        frozen: Any,
        *,
        keep: str = "last",
        callbacks: Sequence[Callback] = (),
        validator: Validator | None = None,
        carry: Carry | None = None,
    ):
        self.task, self.engine, self.frozen, self.keep = task, engine, frozen, keep
        self.callbacks, self.validator, self.carry = tuple(callbacks), validator, carry
        self.began = time.perf_counter()
        self.step = 0 if carry is None else int(carry.step)
        self.first_step = self.step
        self.rows: list[np.ndarray] = []
        self.replayed: list[np.ndarray] = []
        self.layout: Any = None
        self.lowest: Lowest | None = None
        self.last_point: Params = None
        self.status = self.ended = Status.RUNNING
        self.last_row: np.ndarray | None = None

    # ------------------------------------------------------------------ the loop

    def go(self) -> Outcome:
        """Runs to the end."""
        with interruptible() as interrupted:
            try:
                self.validate_if_due()
                while self.status == Status.RUNNING:
                    rows = self.forward(self.limit())
                    self.validate_if_due()
                    self.call_back(rows)
                    if interrupted and self.status == Status.RUNNING:
                        self.status = Status.INTERRUPTED
                outcome = self.finish()
                self.call_back(None, final=True)
            finally:
                self.close()
        return outcome

    def close(self) -> None:
        """Lets callbacks that hold the terminal or a file give them back, whatever happened."""
        for callback in self.callbacks:
            getattr(callback, "close", lambda: None)()

    def limit(self) -> int:
        """Steps until something is due."""
        periods = [period(c) for c in self.callbacks] + ([self.validator.every] if self.validator else [])
        due = [p - self.step % p for p in periods if p is not None]
        return min([self.engine.steps(), *due])

    def forward(self, limit: int) -> np.ndarray:
        """One chunk; returns its rows."""
        segment = Segment(self.task, self.carry, self.host(), self.step)
        began, compiled = time.perf_counter(), self.engine.compile_seconds
        self.carry, rows = self.engine.advance(segment.task, segment.carry, segment.host, limit)
        step, status = (int(n) for n in rows.counts)
        self.engine.learn(time.perf_counter() - began - (self.engine.compile_seconds - compiled), step - self.step)
        new, self.step = rows.data[: step - self.step], step
        self.rows.append(new)
        self.layout = rows.layout
        self.remember(new, segment)
        self.last_point = self.carry.point
        self.status = self.ended = Status(status)
        return new

    def host(self) -> Host:
        """The host's numbers for the next chunk."""
        value, number = (np.inf, 0) if self.validator is None else (self.validator.latest, len(self.validator.steps))
        return host_values(time.perf_counter() - self.began, value, number, 1.0)

    def validate_if_due(self) -> None:
        """Measures the current point where a validation is due."""
        if self.validator is not None and self.step % self.validator.every == 0:
            x = self.task.x0 if self.carry is None else self.carry.state.x
            self.validator.measure(self.joined(x), self.step, self.model_state())

    def call_back(self, rows: np.ndarray | None, final: bool = False) -> None:
        """Calls the callbacks that are due; the wall-clock ones every time."""
        for callback in self.callbacks:
            every = period(callback)
            if (every is None) or (not final and self.step % every == 0):
                self.obey(callback(self.event(rows, final)))

    def obey(self, answer: Any) -> None:
        """None, "stop", or a solver of the same structure."""
        if isinstance(answer, str) and answer == "stop":
            self.status = Status.STOPPED if self.status == Status.RUNNING else self.status
        elif isinstance(answer, Solver):
            if jax.tree.structure(answer) != jax.tree.structure(self.task.solver):
                raise ValueError(f"A callback returned {answer!r}: it must differ from the method in numbers only.")
            self.task = self.task._replace(solver=answer)
        elif answer is not None:
            raise TypeError(f'A callback returned {answer!r}: return None, "stop", or a solver.')

    def event(self, rows: np.ndarray | None, final: bool) -> Event:
        """The run as a callback sees it now."""
        trace = self.trace(self.rows[-1:] if rows is None else [rows])
        latest = {} if self.validator is None else self.validator.row()
        assert self.carry is not None
        return Event(
            self.step, self.epochs(), self.joined(self.carry.state.x), self.task.solver, trace, latest,
            time.perf_counter() - self.began, final,
        )  # fmt: skip

    # ------------------------------------------------------------------ the end

    def finish(self) -> Outcome:
        """Which point the user gets, and the trace row that describes it."""
        assert self.carry is not None
        status, steps = self.status, self.step
        by_rule = self.ended == status and not status.failed
        rule = fired(self.task.stop, self.carry.stop) if by_rule else None
        if is_at_point(status, rule):
            return self.kept(Outcome(self.carry.point, status, rule, self.last(), steps - 1))
        x = self.carry.state.x
        if not status.failed:
            status = self.learn_last(status)
        if status.failed:
            best = self.best()
            return Outcome(best.x, status, None, best.step - self.first_step, self.last() + self.first_step)
        return self.kept(Outcome(x, status, rule, self.last(), steps))

    def learn_last(self, status: Status) -> Status:
        """One more step, to learn what is true of the last point; its new state is dropped."""
        assert self.carry is not None
        if self.last_row is not None:
            self.rows.append(self.last_row)
            self.last_point = self.carry.state.x
            return status
        going = running(self.carry)
        segment = Segment(self.task, going, self.host(), self.step)
        _, rows = self.engine.advance(segment.task, going, segment.host, 1)
        self.rows.append(rows.data[:1])
        self.remember(self.rows[-1], segment)
        self.last_point = self.carry.state.x
        after = Status(int(rows.counts[1]))
        return after if after in (Status.NONFINITE, Status.DIVERGED) else status

    def kept(self, outcome: Outcome) -> Outcome:
        """The outcome, validated, and moved to the best point if that is what the user keeps."""
        if self.validator is not None:
            self.validator.measure(self.joined(outcome.x), outcome.steps, self.model_state())
        if self.keep == "last":
            return outcome
        if self.validator is not None:
            x, step = self.validator.best
            return outcome._replace(x=x, row=step - self.first_step)
        best = self.best()
        return outcome._replace(x=best.x, row=best.step - self.first_step)

    def last(self) -> int:
        """The index of the last row."""
        return sum(len(rows) for rows in self.rows) - 1

    def remember(self, rows: np.ndarray, segment: Segment) -> None:
        """Keeps the segment in which the lowest point so far was measured."""
        trace = self.trace([rows])
        row = lowest(trace)
        if row is None:
            return
        if self.lowest is None or rank(trace, row) < self.lowest.rank:
            self.lowest = Lowest(rank(trace, row), segment.step + row, segment)

    def best(self) -> Point:
        """The lowest point: the last one, or found by replaying its segment up to the step that measured it."""
        if self.lowest is None:
            return Point(self.task.x0, float("nan"), self.first_step)
        (_, value), step, (task, carry, host, began) = self.lowest
        if step == self.first_step + self.last() and self.last_point is not None:
            return Point(self.last_point, value, step)
        carry, rows = self.engine.advance(task, carry, host, step + 1 - began)
        self.replayed.append(rows.data[: step + 1 - began])
        return Point(carry.point, value, step)

    # ------------------------------------------------------------------ what was seen

    def trace(self, rows: list[np.ndarray] | None = None) -> Trace:
        """The rows so far, by name."""
        return unpack(np.concatenate(self.rows if rows is None else rows), self.layout)

    def joined(self, x: Params) -> Params:
        """The user's tree with the variables `x`."""
        return rejoin(x, self.frozen)

    def model_state(self) -> Any:
        """The running statistics of a stateful loss."""
        return self.task.problem.objective.model_state if self.carry is None else self.carry.model_state

    def epochs(self) -> float | None:
        """Passes over the data; on whole data a step is one."""
        return float(self.step) if self.task.problem.objective.examples else None
