"""A run that has ended as a result; what takes time to put into words is put there when somebody asks."""

import signal
from typing import Any

import jax
import numpy as np

from thalweg.core.config import to_config
from thalweg.core.status import Status
from thalweg.core.stop import Never
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.run.driver import Run
from thalweg.run.ending import best_point
from thalweg.run.explain.findings import Ended, Finding, Lost, falls_steadily, findings
from thalweg.run.explain.messages import message
from thalweg.run.explain.violations import lost_constraints, violated_in_words, violations
from thalweg.run.outcome import Outcome, running
from thalweg.run.prefetch import REREAD
from thalweg.run.result import Later, Point, Restarts, Result, WallTime, Words


def summarize(run: Run, outcome: Outcome, restarts: Restarts | None = None) -> Result:
    """The result of a run."""
    state, plan, sign = run.state, run.plan, run.plan.problem.sign
    assert state.carry is not None
    limited = outcome.status == Status.STEP_LIMIT and plan.default_limit
    if limited and falls_steadily(state.ledger.trace().value):
        outcome = outcome._replace(status=Status.DIVERGED, rule=None)
    failed = outcome.status.failed or limited
    cut_short = run.exhausted and not isinstance(run.task.stop, Never)
    total = run.elapsed
    return Result(
        x=run.joined(outcome.x),
        status=outcome.status,
        ok=not failed and not cut_short,
        rule=outcome.rule,
        signal=run.signals[0] if run.signals and outcome.status == Status.INTERRUPTED else None,
        steps=outcome.steps,
        epochs=run.epochs(),
        seconds=WallTime(run.engine.compile_seconds, max(total - run.engine.compile_seconds, 0.0)),
        first_step=state.ledger.first_step,
        kept=outcome.kept,
        whole=run.whole,
        maximize=sign < 0,
        skipped=tuple(state.recovered.dropped),
        state=running(state.carry),
        average=_averaged(run),
        model_state=outcome.model_state,
        method=run.task.solver,
        reason=plan.reason,
        validation=None if run.validator is None else state.validations.table(),
        restarts=restarts,
        later=Later(
            lambda: state.ledger.trace(sign=sign),
            state.ledger.evals,
            lambda trace: _words(run, trace, outcome, cut_short),
            lambda: _users_best(run),
            plan.name,
            lambda: _configuration(run),
        ),
    )


def _users_best(run: Run) -> Point:
    """The lowest point as the user's tree, with the value in the user's sign."""
    x, value, step = best_point(run)
    return Point(run.joined(x), run.plan.problem.sign * value, step)


def _words(run: Run, trace: Trace, outcome: Outcome, cut_short: bool) -> Words:
    """The end of a run in words."""
    assert run.state.carry is not None
    x, _, status, rule, kept, steps = outcome
    sign = run.plan.problem.sign
    row = min(kept - run.state.ledger.first_step, len(trace.value) - 1)
    lost = None if status != Status.NONFINITE else _lost_in(run, kept < steps)
    end = Ended(status, trace, row, (run.x0, run.state.carry.state.x), run.plan.default_limit, lost, sign)
    why = message(status, rule, trace, row, _said(run, status, x), lost, sign)
    return Words(why, (Finding("stream-ended", "", REREAD),) if cut_short else findings(end))


def _averaged(run: Run) -> Params:
    """The average of the iterates, as the user's tree; None where none was asked for or no step was made."""
    assert run.state.carry is not None
    average = run.state.carry.average
    if average is None or not np.asarray(average.state.count) > 0:
        return None
    return run.joined(average.read(run.state.carry.state.x))


def _lost_in(run: Run, validated: bool) -> Lost:
    """Where the numbers were lost."""
    problem, step, segment, carry = run.task.problem, run.state.ledger.last, run.segment, run.state.carry
    data = problem.objective.data
    if segment is not None and segment.stack is not None:
        data = jax.tree.map(lambda b: b[step - segment.step], segment.stack)
    constraints = lost_constraints(problem, carry.point) if carry and run.whole else ""
    returned = "the best finite point" if run.whole else "the best validated point" if validated else "the point before"
    return Lost(step, run.culprit, run.whole, data, run.recovery.policy, returned, constraints)


def _said(run: Run, status: Status, x: Params) -> str:
    """What the end of a run was about, where the loop itself does not know it."""
    if status == Status.INFEASIBLE:
        return violated_in_words(violations(run.task.problem, x))
    if run.exhausted:
        return f"the stream had no batch after step {run.state.step}, and no stop rule had fired."
    if run.signals:
        return f"interrupted by {'SIGTERM' if run.signals[0] == signal.SIGTERM else 'Ctrl-C'}."
    return ""


def _configuration(run: Run) -> dict[str, Any]:
    """What a configuration file needs to repeat the run."""
    request = run.request
    batches = request.batches
    return {
        "method": to_config(run.task.solver),
        "stop": to_config(run.task.stop),
        "keep": request.keep,
        "restarts": request.restarts,
        "spread": request.spread,
        "validate_every": to_config(request.validate_every),
        "seed": request.seed,
        "batch_size": None if batches is None else batches.size,
        "last": None if batches is None else batches.last,
        "shuffle": None if batches is None else batches.shuffle,
        "on_nonfinite": request.on_nonfinite,
        "average": to_config(run.task.average),
        "dispatch": "single" if run.engine.single else "chunk",
    }
