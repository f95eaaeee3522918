"""The host's side of a run: calls chunks, validates, calls back, and finds the point that the user gets.

Chunks are cut where something is due (a callback, a validation), else by time; where they are cut never changes
a number. Points that were passed are found again by replaying their chunk from the carry that it started with.
"""

import contextlib
import time
from typing import Any

import jax
import numpy as np

from thalweg.core.duration import over
from thalweg.core.iterate import Carry
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop, fired, make_host
from thalweg.core.trace import Trace, column, no_rows, tail, unpack
from thalweg.core.types import Params
from thalweg.core.variables import rejoin
from thalweg.run.periods import Position
from thalweg.run.observe.callbacks import Callback, Event, Observer, Watch
from thalweg.run.engine import Engine, Origin, Rows, Segment, Task
from thalweg.run.prefetch import Feed
from thalweg.run.interrupt import interruptible
from thalweg.run.ledger import Lowest, allowed, lowest, rank
from thalweg.run.explain.messages import first_bad
from thalweg.run.outcome import Outcome, is_at_point, running
from thalweg.run.recovery import Poisoned, Recovery, dropped, failed, lost_step, replay
from thalweg.run.result import Point


class Run:
    """One run in progress."""

    def __init__(
        self,
        task: Task,
        origin: Origin,
        engine: Engine,
        frozen: Any,
        watch: Watch,
        *,
        keep: str = "last",
        carry: Carry | None = None,
        feed: Feed | None = None,
        recovery: Recovery | None = None,
    ):
        self.task, self.origin, self.engine, self.frozen, self.keep = task, origin, engine, frozen, keep
        self.watch, self.carry, self.feed = watch, carry, feed
        self.recovery = Recovery() if recovery is None else recovery
        self.validator, self.observers = watch.validator, watch.observers
        self.began = time.perf_counter()
        self.step = self.first_step = 0 if carry is None else int(carry.step)
        self.rows, self.replayed = list[np.ndarray](), list[np.ndarray]()
        self.layout: Any = None
        self.lowest: Lowest | None = None
        self.segment: Segment | None = None
        self.last_point: Params = None
        self.status = self.ended = Status.RUNNING
        self.over: Stop | None = None
        self.lost: tuple[int, Carry] | None = None
        self.culprit: str | None = None
        self.exhausted, self.signals = False, list[int]()
        self.last_row: np.ndarray | None = None
        self.fired: Stop | None = None

    @property
    def whole(self) -> bool:
        """Whether every step sees the same data."""
        return self.task.problem.whole and self.task.batches is None

    def go(self) -> Outcome:
        """Runs to the end."""
        with interruptible() as self.signals:
            try:
                for observer in self.observers:
                    getattr(observer.callback, "open", lambda: None)()
                if self.carry is not None:
                    self.over = over(self.task.stop, self.step, self.epochs(), self.watch.per_epoch)
                    self.status = Status.RUNNING if self.over is None else Status.STEP_LIMIT
                self.recovery.protect(self.carry)
                self.validate_if_due()
                while self.status == Status.RUNNING and self.forward(self.limit()):
                    if self.whole or not self.status.failed:
                        self.validate_if_due()
                        self.call_back()
                    if self.signals and self.status == Status.RUNNING:
                        self.status = Status.INTERRUPTED
                outcome = self.finish()
                self.call_back(final=True)
            finally:
                self.close()
        return outcome

    def close(self) -> None:
        """Lets callbacks that hold the terminal or a file give them back, whatever happened."""
        if self.feed is not None:
            self.feed.close()
        with contextlib.ExitStack() as stack:  # one that fails to close keeps no other from it
            for observer in self.observers:
                stack.callback(getattr(observer.callback, "close", lambda: None))

    def limit(self) -> int:
        """Steps until something is due."""
        at = self.position()
        periods = [observer.period for observer in self.observers]
        periods += [self.watch.validation] if self.validator else []
        periods += [self.watch.protection] if self.recovery.policy == "rollback" else []
        left = [period.left(at) for period in periods if period is not None]
        return min([self.engine.steps(), *(steps for steps in left if steps is not None)])

    def forward(self, limit: int) -> bool:
        """One chunk; False where the stream has no batch left for one."""
        stack = None
        if self.feed is not None:
            stack, limit = self.feed.take(limit)
            if not limit:
                self.exhausted, self.status = True, Status.STOPPED
                return False
        segment = Segment(self.task, self.origin, self.carry, self.host(), self.step, stack)
        began, compiled = time.perf_counter(), self.engine.compile_seconds
        carry, rows = self.engine.advance(segment, limit, self.read_ahead)
        step, status = rows.counts.tolist()
        made, status = step - self.step, Status(status)
        self.engine.learn(time.perf_counter() - began - (self.engine.compile_seconds - compiled), made)
        self.layout = rows.layout
        new = rows.data[:made]
        if self.recovery.policy != "stop":
            made, carry, status = self.recover(segment, made, carry)
            self.replayed.append(new[made:])
            new = new[:made]
        if self.feed is not None and not status.failed:
            self.feed.confirm(made)
        self.carry, self.segment, self.step = carry, segment, self.step + made
        self.rows.append(new)
        if self.whole:
            self.remember(new, segment)
            self.last_point = carry.point
        self.status = self.ended = status
        return True

    def read_ahead(self) -> None:
        """What the host does while the device computes: the next batches of a stream."""
        if self.feed is not None:
            self.feed.fetch(self.engine.steps())

    def recover(self, segment: Segment, made: int, carry: Carry) -> tuple[int, Carry, Status]:
        """Drops a step that brought NaN: the steps made with it, the carry to go on with, and its status."""
        lost = Poisoned(self.start(segment) if segment.carry is None else segment.carry)
        if not lost(carry):
            return made, carry, Status(int(carry.status))
        offset, before = lost_step(self.engine, segment, made, lost, self.keep_rows)
        again = self.recovery.after(segment.step + offset, before, lambda: self.start(segment))
        if again is None:
            self.lost = offset, before
            return made, carry, Status.NONFINITE
        again = dropped(self.task.stop, before, again._replace(host=segment.host))
        return offset + 1, again, Status(int(again.status))

    def start(self, like: Segment) -> Carry:
        """The carry before the first step."""
        return self.engine.advance(like._replace(carry=None, step=0), 0)[0]

    def host(self, look: float = 0) -> Host:
        """The host's numbers for the next chunk."""
        seconds, epoch, since, per_epoch = time.perf_counter() - self.began, 0, 0, self.watch.per_epoch
        if self.feed is not None:
            epoch, since, per_epoch = self.feed.epoch, self.feed.since, self.feed.pass_length()
        value, at = (np.inf, -1) if self.validator is None else (self.validator.latest, self.validator.latest_step)
        return make_host(seconds, value, at, epoch, since, np.inf if per_epoch is None else per_epoch, look)

    def position(self) -> Position:
        """Where the run stands."""
        if self.feed is None:
            return Position(self.step, 0, False)
        return Position(self.step, self.feed.epoch, self.feed.step == self.feed.since)

    def validate_if_due(self) -> None:
        """Measures the current point where a validation is due, and keeps it where it is the best so far."""
        at, rollback = self.position(), self.recovery.policy == "rollback"
        if is_at_point(self.status, self.rule()):
            return  # the run does not return the point after it
        if self.validator is not None and self.watch.validation.due(at):
            x = self.origin.x0 if self.carry is None else self.carry.state.x
            best = self.validator.measure(self.joined(x), self.step, self.model_state())
            if best and rollback:
                self.recovery.protect(self.carry)
        elif self.validator is None and rollback and self.watch.protection.due(at):
            self.recovery.protect(self.carry)

    def call_back(self, final: bool = False) -> None:
        """Calls the callbacks that are due."""
        at, seconds = self.position(), time.perf_counter() - self.began
        for observer in self.observers:
            if observer.due(at, seconds, final):
                event = self.event(observer, final)
                observer.called = seconds
                observer.shown = self.first_step + self.last() + 1
                observer.measured = 0 if self.validator is None else len(self.validator.steps)
                self.obey(observer.callback, event)

    def obey(self, callback: Callback, event: Event) -> None:
        """None, "stop" (or StopIteration), or a solver of the same structure."""
        try:
            answer = callback(event)
        except StopIteration:
            answer = "stop"
        if isinstance(answer, str) and answer == "stop":
            self.status = Status.STOPPED if self.status == Status.RUNNING else self.status
        elif isinstance(answer, Solver):
            if jax.tree.structure(answer) != jax.tree.structure(self.task.solver):
                raise ValueError(f"A callback returned {answer!r}: it must differ from the method in numbers only.")
            self.task = self.task._replace(solver=answer)
        elif answer is not None:
            raise TypeError(f'A callback returned {answer!r}: return None, "stop", or a solver.')

    def event(self, observer: Observer, final: bool) -> Event:
        """The run as a callback sees it now, with the rows that it has not seen."""
        assert self.carry is not None
        return Event(
            step=self.step,
            epoch=self.epochs(),
            x=self.joined(self.carry.state.x),
            solver=self.task.solver,
            whole=self.whole,
            first_row=observer.shown,
            trace=self.trace(observer.shown),
            validation={} if self.validator is None else self.validator.row(),
            validations=None if self.validator is None else self.validator.table(observer.measured),
            seconds=time.perf_counter() - self.began,
            length=self.watch.length,
            steps_per_epoch=self.watch.per_epoch,
            final=final,
        )

    # ------------------------------------------------------------------ the end

    def finish(self) -> Outcome:
        """Which point the user gets, and what is known of it."""
        assert self.carry is not None
        status, steps, rule = self.status, self.step, self.rule()
        if is_at_point(status, rule):
            return self.kept(self.at_point(Outcome(None, None, status, rule, steps - 1, steps - 1)))
        if not status.failed and self.whole:
            status = self.learn_last(status)
        if status.failed:
            return self.fallen(status)
        return self.kept(Outcome(self.carry.state.x, self.carry.model_state, status, rule, steps, steps))

    def rule(self) -> Stop | None:
        """The stop rule that ended the run; None where something else did, or while it goes on."""
        if self.over is not None:
            return self.over
        if self.carry is None or self.ended != self.status or self.status == Status.RUNNING or self.status.failed:
            return None
        if self.fired is None:  # which one is a number on the device, so it is asked for once
            self.fired = fired(self.task.stop, self.carry.stop, self.ended)
        return self.fired

    def broken_off(self) -> Outcome:
        """The point at which an exception ended the run."""
        carry, steps = self.carry, self.step
        assert carry is not None
        return Outcome(carry.state.x, carry.model_state, Status.INTERRUPTED, None, steps, steps)

    def at_point(self, outcome: Outcome) -> Outcome:
        """The outcome at the point of the last row: kept on whole data, found again on batches."""
        assert self.carry is not None
        if self.whole:
            return outcome._replace(x=self.carry.point, model_state=self.carry.model_state)
        assert self.segment is not None
        carry = replay(self.engine, self.segment, outcome.kept - self.segment.step, self.keep_rows)
        return outcome._replace(x=carry.state.x, model_state=carry.model_state)

    def fallen(self, status: Status) -> Outcome:
        """After a failure of the numbers: the best point on whole data, the last finite one on batches."""
        assert self.carry is not None
        if self.whole:
            self.culprit = first_bad(self.carry.state.x)
            best = self.best()
            return Outcome(best.x, self.carry.model_state, status, None, best.step, self.first_step + self.last())
        if self.segment is not None:
            made = self.step - self.segment.step
            offset, before = self.lost or lost_step(self.engine, self.segment, made, failed, self.keep_rows)
            after = replay(self.engine, self.segment, offset + 1, self.keep_rows)
            self.carry, self.step, self.culprit = before, self.segment.step + offset, first_bad(after.state.x)
            self.replayed.append(self.rows[-1][offset + 1 :])
            self.rows[-1] = self.rows[-1][: offset + 1]
            if self.feed is not None:
                self.feed.confirm(offset)
        outcome = Outcome(self.carry.state.x, self.carry.model_state, status, None, self.step, self.step)
        return outcome if self.keep == "last" else self.best_validated(outcome)

    def learn_last(self, status: Status) -> Status:
        """One more step, to learn what is true of the last point; its new state is dropped."""
        assert self.carry is not None
        if self.last_row is not None:
            self.rows.append(self.last_row)
            self.last_point = self.carry.state.x
            return status
        segment = Segment(self.task, self.origin, running(self.carry), self.host(look=1), self.step)
        _, rows = self.engine.advance(segment, 1)
        self.layout = rows.layout
        self.rows.append(rows.data[:1])
        self.remember(self.rows[-1], segment)
        self.last_point = self.carry.state.x
        after = Status(int(rows.counts[1]))
        if self.recovery.policy != "stop":
            return status  # a random loss may be lost there, at a point that is as good as any
        return after if after in (Status.NONFINITE, Status.DIVERGED) else status

    def kept(self, outcome: Outcome) -> Outcome:
        """The outcome, validated, and moved to the best point if that is what the user keeps."""
        if self.validator is not None:
            self.validator.measure(self.joined(outcome.x), outcome.steps, outcome.model_state)
        if self.keep == "last":
            return outcome
        if self.validator is not None:
            return self.best_validated(outcome)
        best = self.best()
        return outcome._replace(x=best.x, kept=best.step)

    def best_validated(self, outcome: Outcome) -> Outcome:
        """The outcome at the point with the lowest validation value, where one was measured."""
        best = None if self.validator is None else self.validator.best
        if best is None:
            return outcome
        x, model_state, step, _ = best
        return outcome._replace(x=x, model_state=model_state, kept=step)

    def last(self) -> int:
        """The index of the last row."""
        return sum(len(rows) for rows in self.rows) - 1

    def keep_rows(self, rows: Rows, steps: int) -> None:
        """Remembers rows that were made again: their evaluations count."""
        if steps:
            self.replayed.append(rows.data[:steps])

    def remember(self, rows: np.ndarray, segment: Segment) -> None:
        """Keeps the segment in which the lowest point so far was measured."""
        value, violation = (column(rows, self.layout, name) for name in ("value", "infeasibility"))
        value = value if isinstance(value, np.ndarray) else np.full(len(rows), value)
        row = lowest(value, violation)
        if row is None:
            return
        excess = float(violation[row]) if isinstance(violation, np.ndarray) else violation
        order = rank(float(value[row]), excess, allowed(value))
        if self.lowest is None or order <= self.lowest.rank:
            self.lowest = Lowest(order, segment.step + row, segment)

    def best(self) -> Point:
        """The lowest point on whole data: the last one, or found by replaying its segment.

        On batches, whose values differ with the batch, the lowest validated point; the last one without validation.
        """
        assert self.carry is not None
        if not self.whole:
            best = None if self.validator is None else self.validator.best
            if best is not None:
                return Point(best.x, self.task.problem.sign * best.value, best.step)
            last = self.trace(self.first_step + self.last()).value
            return Point(self.joined(self.carry.state.x), float(last[-1]) if len(last) else float("nan"), self.step)
        if self.lowest is None:
            return Point(self.joined(self.origin.x0), float("nan"), self.first_step)
        (_, value), step, segment = self.lowest
        value *= self.task.problem.sign
        if isinstance(segment, Point):
            return segment._replace(x=self.joined(segment.x), value=value)
        if step == self.first_step + self.last() and self.last_point is not None:
            return Point(self.joined(self.last_point), value, step)
        carry, rows = self.engine.advance(segment, step + 1 - segment.step)
        self.keep_rows(rows, step + 1 - segment.step)
        return Point(self.joined(carry.point), value, step)

    # ------------------------------------------------------------------ what was seen

    def trace(self, since: int | None = None) -> Trace:
        """The rows from step `since` on (all of them if None), by name; values in the user's sign."""
        if not self.rows:
            return no_rows()
        wanted = self.last() + 1 - (0 if since is None else since - self.first_step)
        trace = unpack(tail(self.rows, wanted), self.layout)
        return trace if self.task.problem.sign > 0 else trace._replace(value=-trace.value)

    def joined(self, x: Params) -> Params:
        """The user's tree with the variables `x`."""
        return rejoin(x, self.frozen)

    def model_state(self) -> Any:
        """The running statistics of a stateful loss."""
        return self.task.problem.objective.model_state if self.carry is None else self.carry.model_state

    def epochs(self) -> float | None:
        """Passes over the data; None without data, and for an iterator, which has no passes."""
        if self.feed is None:
            return None if self.watch.per_epoch is None else self.step / self.watch.per_epoch
        return self.feed.epochs()
