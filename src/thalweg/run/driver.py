"""The host's side of a run while it goes on: calls chunks, validates, calls back.

Chunks are cut where something is due (a callback, a validation), else by time; where they are cut never changes
a number. Points that were passed are found again by replaying their chunk from the carry that it started with.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop, fired, make_host
from thalweg.core.types import Params
from thalweg.core.variables import rejoin
from thalweg.run.engine import Engine
from thalweg.run.interrupt import interruptible
from thalweg.run.observe.callbacks import Callback, Event, Observer
from thalweg.run.outcome import is_at_point
from thalweg.run.periods import Position
from thalweg.run.plan import Plan, Request
from thalweg.run.prefetch import Prefetch
from thalweg.run.programs import Segment
from thalweg.run.recovery import Poisoned, Recovery, dropped, lost_step
from thalweg.run.state import RunState
from thalweg.run.validation import Validator


class Run:
    """One run in progress: `state` is all that changes in it, the rest is how it is run.

    - `plan`, `request`, `x0`: what is run, and from where. `engine`: runs chunks of it.
    - `prefetch`: the batches of a stream. `validator`, `observers`: who looks at it.
    - `segment`: the latest chunk. `lost`: how many of its steps were made before the one whose numbers were lost, and
      the carry there. `culprit`: the first variable that is not finite.
    - `exhausted`: the stream has ended. `signals`: those that came.
    """

    def __init__(
        self,
        plan: Plan,
        request: Request,
        x0: Params,
        engine: Engine,
        state: RunState,
        *,
        prefetch: Prefetch | None = None,
        validator: Validator | None = None,
        observers: Sequence[Observer] = (),
    ):
        self.plan, self.request, self.x0 = plan, request, x0
        self.task = plan.task
        self.engine, self.state = engine, state
        self.prefetch, self.validator, self.observers = prefetch, validator, observers
        self.recovery = Recovery(request.on_nonfinite)
        self.began = time.perf_counter() - state.seconds
        self.segment: Segment | None = None
        self.lost: tuple[int, Carry] | None = None
        self.culprit: str | None = None
        self.exhausted, self.signals = False, list[int]()

    @property
    def whole(self) -> bool:
        """Whether every step sees the same data."""
        return self.plan.whole

    @property
    def elapsed(self) -> float:
        """Wall time of the run so far."""
        return time.perf_counter() - self.began

    @contextlib.contextmanager
    def attended(self) -> Iterator[None]:
        """Listens to signals; callbacks that hold the terminal or a file give them back, whatever happens."""
        with interruptible() as self.signals:
            try:
                for observer in self.observers:
                    getattr(observer.callback, "open", lambda: None)()
                yield
            finally:
                if self.prefetch is not None:
                    self.prefetch.close()
                with contextlib.ExitStack() as stack:  # one that fails to close keeps no other from it
                    for observer in self.observers:
                        stack.callback(getattr(observer.callback, "close", lambda: None))

    def go(self) -> None:
        """Goes on from where `state` stands until a stop rule, a failure, a callback or a signal ends the run."""
        state = self.state
        self.validate_if_due()
        while state.status == Status.RUNNING and self.forward(self.limit()):
            if self.whole or not state.status.failed:
                self.validate_if_due()
                self.call_back()
            if self.signals and state.status == Status.RUNNING:
                state.status = Status.INTERRUPTED

    def limit(self) -> int:
        """Steps until something is due."""
        at, cadence = self.position(), self.plan.cadence
        periods = [observer.period for observer in self.observers]
        periods += [cadence.validation] if self.validator else []
        periods += [cadence.protection] if self.recovery.policy == "rollback" else []
        left = [period.left(at) for period in periods if period is not None]
        return min([self.engine.steps(), *(steps for steps in left if steps is not None)])

    def forward(self, limit: int) -> bool:
        """One chunk; False where the stream has no batch left for one."""
        state, stack = self.state, None
        if self.prefetch is not None:
            stack, limit = self.prefetch.take(limit)
            if not limit:
                self.exhausted, state.status = True, Status.STOPPED
                return False
        segment = Segment(self.task, self.seed, self.x0, state.carry, self.host(), state.step, stack)
        began, compiled = time.perf_counter(), self.engine.compile_seconds
        carry, rows = self.engine.advance(segment, limit, self.read_ahead)
        step, status = rows.counts.tolist()
        made, status = step - state.step, Status(status)
        self.engine.learn(time.perf_counter() - began - (self.engine.compile_seconds - compiled), made)
        new = rows.data[:made]
        if self.recovery.policy != "stop":
            made, carry, status = self.recover(segment, made, carry)
            state.ledger.add_again(new[made:])
            new = new[:made]
        if self.prefetch is not None and not status.failed:
            state.place = self.prefetch.confirm(made)
        state.carry, self.segment, state.step = carry, segment, state.step + made
        state.ledger.add(new, rows.layout, segment if self.whole else None, carry.point)
        state.status = state.verdict = status
        state.seconds = self.elapsed
        return True

    @property
    def seed(self) -> np.ndarray:
        """The seed of all randomness, as the programs take it."""
        return np.asarray(self.request.seed, np.uint32)

    def read_ahead(self) -> None:
        """What the host does while the device computes: the next batches of a stream."""
        if self.prefetch is not None:
            self.prefetch.fetch(self.engine.steps())

    def recover(self, segment: Segment, made: int, carry: Carry) -> tuple[int, Carry, Status]:
        """Drops a step that brought NaN: the steps made with it, the carry to go on with, and its status."""
        lost = Poisoned(self.begun(segment) if segment.carry is None else segment.carry)
        if not lost(carry):
            return made, carry, Status(int(carry.status))
        offset, before = lost_step(self.engine, segment, made, lost, self.state.ledger)
        step = segment.step + offset
        again = self.recovery.after(self.state.recovered, step, before, lambda: self.begun(segment))
        if again is None:
            self.lost = offset, before
            return made, carry, Status.NONFINITE
        again = dropped(self.task.stop, before, again._replace(host=segment.host))
        return offset + 1, again, Status(int(again.status))

    def begun(self, like: Segment) -> Carry:
        """The carry before the first step."""
        return self.engine.advance(like._replace(carry=None, step=0), 0)[0]

    def host(self, look: float = 0) -> Host:
        """The host's numbers for the next chunk."""
        epoch, since, per_epoch = 0, 0, self.plan.epoch.steps
        if self.prefetch is not None:
            _, epoch, since = self.prefetch.place
            per_epoch = self.prefetch.pass_length()
        seen = self.state.validations
        length = np.inf if per_epoch is None else per_epoch
        return make_host(self.elapsed, seen.latest, seen.latest_step, epoch, since, length, look)

    def position(self) -> Position:
        """Where the run stands, in steps and passes."""
        if self.prefetch is None:
            return Position(self.state.step, 0, False)
        step, epoch, since = self.prefetch.place
        return Position(self.state.step, epoch, step == since)

    def validate_if_due(self) -> None:
        """Measures the current point where a validation is due, and keeps it where it is the best so far."""
        state, at, rollback = self.state, self.position(), self.recovery.policy == "rollback"
        if is_at_point(state.status, self.fired_rule()):
            return  # the run does not return the point after it
        if self.validator is not None and self.plan.cadence.validation.due(at):
            x = self.x0 if state.carry is None else state.carry.state.x
            if self.validate(x, state.step, self.model_state()) and rollback:
                state.recovered.protect(state.carry)
        elif self.validator is None and rollback and self.plan.cadence.protection.due(at):
            state.recovered.protect(state.carry)

    def validate(self, x: Params, step: int, model_state: Any) -> bool:
        """One validation of the variables `x`, once a step; whether it is the best so far."""
        seen = self.state.validations
        if self.validator is None or step == seen.latest_step:
            return False
        tree = self.joined(x)
        return seen.add(self.validator.measure(tree, step, model_state), tree, step, model_state)

    def call_back(self, final: bool = False) -> None:
        """Calls the callbacks that are due."""
        at, seconds = self.position(), self.elapsed
        for observer, shown in zip(self.observers, self.state.shown, strict=True):
            if observer.due(at, seconds - shown.seconds, final):
                event = self.event(shown.trace, shown.validations, final)
                shown.seconds, shown.trace = seconds, self.state.ledger.next_step
                shown.validations = len(self.state.validations.steps)
                self.obey(observer.callback, event)

    def obey(self, callback: Callback, event: Event) -> None:
        """Does what a callback answers: None, "stop" (or StopIteration), or a solver of the same structure."""
        try:
            answer = callback(event)
        except StopIteration:
            answer = "stop"
        state = self.state
        if isinstance(answer, str) and answer == "stop":
            state.status = Status.STOPPED if state.status == Status.RUNNING else state.status
        elif isinstance(answer, Solver):
            if jax.tree.structure(answer) != jax.tree.structure(self.task.solver):
                raise ValueError(f"A callback returned {answer!r}: it must differ from the method in numbers only.")
            state.solver, self.task = answer, self.task._replace(solver=answer)
        elif answer is not None:
            raise TypeError(f'A callback returned {answer!r}: return None, "stop", or a solver.')

    def event(self, since: int, validated: int, final: bool) -> Event:
        """The run as a callback sees it now: rows from step `since` on, validations after the first `validated`."""
        state = self.state
        assert state.carry is not None
        return Event(
            step=state.step,
            epoch=self.epochs(),
            x=self.joined(state.carry.state.x),
            solver=self.task.solver,
            whole=self.whole,
            first_row=since,
            trace=state.ledger.trace(since, self.plan.problem.sign),
            validation=state.validations.latest_row(),
            validations=None if self.validator is None else state.validations.table(validated),
            seconds=self.elapsed,
            length=self.plan.cadence.length,
            steps_per_epoch=self.plan.epoch.steps,
            final=final,
        )

    def fired_rule(self) -> Stop | None:
        """The stop rule that ended the run; None where something else did, or while it goes on."""
        state = self.state
        if state.rule is not None:  # which one is a number on the device, so it is asked for once
            return state.rule
        if state.carry is None or state.verdict != state.status or state.status == Status.RUNNING:
            return None
        if not state.status.failed:
            state.rule = fired(self.task.stop, state.carry.stop, state.verdict)
        return state.rule

    def joined(self, x: Params) -> Params:
        """The user's tree with the variables `x`."""
        return rejoin(x, self.plan.frozen)

    def model_state(self) -> Any:
        """The running statistics of a stateful loss."""
        carry = self.state.carry
        return self.task.problem.objective.model_state if carry is None else carry.model_state

    def epochs(self) -> float | None:
        """Passes over the data; None without data, and for an iterator, which has no passes."""
        if self.prefetch is None:
            return None if self.plan.epoch.steps is None else self.state.step / self.plan.epoch.steps
        return self.prefetch.epochs()
