"""The end of a run: which point the user gets, and what is known of it."""

from thalweg.core.status import Status
from thalweg.run.driver import Run
from thalweg.run.explain.messages import first_bad
from thalweg.run.outcome import Outcome, is_at_point, running
from thalweg.run.programs import Segment
from thalweg.run.recovery import failed, lost_step, replay
from thalweg.run.result import Point


def finish(run: Run) -> Outcome:
    """The point that the user gets, after a run that ended by itself."""
    state, rule = run.state, run.fired_rule()
    status, steps = state.status, state.step
    assert state.carry is not None
    if is_at_point(status, rule):
        return _kept(run, _at_point(run, Outcome(None, None, status, rule, steps - 1, steps - 1)))
    if not status.failed and run.whole:
        status = _learn_last(run, status)
    if status.failed:
        return _fallen(run, status)
    return _kept(run, Outcome(state.carry.state.x, state.carry.model_state, status, rule, steps, steps))


def broken_off(run: Run) -> Outcome:
    """The point at which an exception ended the run."""
    carry, steps = run.state.carry, run.state.step
    assert carry is not None
    return Outcome(carry.state.x, carry.model_state, Status.INTERRUPTED, None, steps, steps)


def _at_point(run: Run, outcome: Outcome) -> Outcome:
    """The outcome at the point of the last row: kept on whole data, found again on batches."""
    carry = run.state.carry
    assert carry is not None
    if run.whole:
        return outcome._replace(x=carry.point, model_state=carry.model_state)
    assert run.segment is not None
    carry = replay(run.engine, run.segment, outcome.kept - run.segment.step, run.state.ledger)
    return outcome._replace(x=carry.state.x, model_state=carry.model_state)


def _learn_last(run: Run, status: Status) -> Status:
    """One more step, to learn what is true of the last point; its new state is dropped."""
    state = run.state
    assert state.carry is not None
    if state.ledger.next_step > state.step:  # a lane has looked already
        return status
    segment = Segment(run.task, run.seed, run.x0, running(state.carry), run.host(look=1), state.step)
    _, rows = run.engine.advance(segment, 1)
    state.ledger.add(rows.data[:1], rows.layout, segment, state.carry.state.x)
    after = Status(int(rows.counts[1]))
    if run.recovery.policy != "stop":
        return status  # a random loss may be lost there, at a point that is as good as any
    return after if after in (Status.NONFINITE, Status.DIVERGED) else status


def _fallen(run: Run, status: Status) -> Outcome:
    """After a failure of the numbers: the best point on whole data, the last finite one on batches."""
    state = run.state
    assert state.carry is not None
    if run.whole:
        run.culprit = first_bad(state.carry.state.x)
        best = best_point(run)
        return Outcome(best.x, state.carry.model_state, status, None, best.step, state.ledger.last)
    if run.segment is not None:
        made = state.step - run.segment.step
        offset, before = run.lost or lost_step(run.engine, run.segment, made, failed, state.ledger)
        after = replay(run.engine, run.segment, offset + 1, state.ledger)
        state.carry, state.step, run.culprit = before, run.segment.step + offset, first_bad(after.state.x)
        state.ledger.drop_from(state.step + 1)
        if run.prefetch is not None:
            state.place = run.prefetch.confirm(offset)
    outcome = Outcome(state.carry.state.x, state.carry.model_state, status, None, state.step, state.step)
    return outcome if run.request.keep == "last" else _best_validated(run, outcome)


def _kept(run: Run, outcome: Outcome) -> Outcome:
    """The outcome, validated, and moved to the best point if that is what the user keeps."""
    run.validate(outcome.x, outcome.steps, outcome.model_state)
    if run.request.keep == "last":
        return outcome
    if run.validator is not None:
        return _best_validated(run, outcome)
    best = best_point(run)
    return outcome._replace(x=best.x, kept=best.step)


def _best_validated(run: Run, outcome: Outcome) -> Outcome:
    """The outcome at the point with the lowest validation value, where one was measured."""
    best = run.state.validations.best
    if best is None:
        return outcome
    return outcome._replace(x=best.x, model_state=best.model_state, kept=best.step)


def best_point(run: Run) -> Point:
    """The lowest point, its value as it is minimized: on whole data the last one, or found by replaying its segment.

    On batches, whose values differ with the batch, the lowest validated point; the last one without validation.
    """
    state = run.state
    assert state.carry is not None
    if run.whole:
        found = state.ledger.best(run.engine.advance)
        return Point(run.x0, float("nan"), state.ledger.first_step) if found is None else found
    best = state.validations.best
    if best is not None:
        return Point(best.x, best.value, best.step)
    value = state.ledger.trace(state.ledger.last).value
    return Point(state.carry.state.x, float(value[-1]) if len(value) else float("nan"), state.step)
