"""From a checked problem and method to a result: builds the run, lets it go, puts its end into words."""

import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.average import Average
from thalweg.core.batches import Batches
from thalweg.core.config import to_config
from thalweg.core.duration import length as duration
from thalweg.core.iterate import Carry, shapes
from thalweg.core.nonsmooth import Zero
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Samples, Solver
from thalweg.core.status import Status
from thalweg.core.stop import Epochs, Never, Steps, Stop
from thalweg.core.trace import Trace, unpack
from thalweg.core.types import Evals, Params, real
from thalweg.core.variables import short
from thalweg.run.calendar import EpochLength, period
from thalweg.run.callbacks import Callback, Watch, observe
from thalweg.run.chunks import CAPACITY, Engine, Lanes, Task
from thalweg.run.driver import Run
from thalweg.run.feed import REREAD, Feed
from thalweg.run.inspect import Facts, inspect
from thalweg.run.lanes import CAPACITY as LANES_CAPACITY
from thalweg.run.lanes import run_lanes
from thalweg.run.messages import Lost, advice, falls_steadily, message
from thalweg.run.outcome import Outcome, running
from thalweg.run.recovery import Recovery
from thalweg.run.result import Later, Restarts, Result, Seconds
from thalweg.run.validation import BLOCK, Validator
from thalweg.run.violations import in_words, lost_constraints, violations

VALIDATE_EVERY = 10
"""Steps between validations on whole data."""
STREAM_PERIOD = 100
"""Steps that stand for an epoch where an iterator has none."""


class Options(NamedTuple):
    """What `minimize` was asked for beside the problem, the method and the stop rule."""

    batches: Batches | None = None
    keep: str = "last"
    restarts: int = 1
    spread: float = 1.0
    seed: int = 0
    state: Carry | None = None
    validate_every: Any = None
    callbacks: tuple[Callback, ...] = ()
    chunk: int | None = None
    dispatch: str | None = None
    on_nonfinite: str = "stop"
    average: Average | None = None


class Variables(NamedTuple):
    """The leaves that are optimised, and those that are held fixed."""

    x: Params
    frozen: Any


class Choice(NamedTuple):
    """How the method is called, why it was chosen (None: by the user), whether the step limit was the default."""

    name: Callable[[], str]
    reason: str | None
    default_limit: bool


def launch(problem: Problem, solver: Solver, stop: Stop, start: Variables, options: Options, choice: Choice) -> Result:
    """Runs and reports. An exception on the way carries what was reached as its `result`."""
    seed = np.asarray(options.seed, np.uint32)
    task = Task(problem.training(start.frozen), solver, stop, seed, start.x, options.batches, options.average)
    feed = feed_of(problem, options.state)
    lanes = Lanes(options.restarts, float(options.spread)) if options.restarts > 1 else None
    engine = Engine(
        task,
        stack=None if feed is None else jax.tree.map(lambda leaf: leaf[None], feed.sample),
        fixed=options.chunk,
        lanes=lanes,
        capacity=CAPACITY if lanes is None else LANES_CAPACITY,
    )
    facts = look(task, engine)
    engine.single = options.dispatch == "single" or (
        options.dispatch is None and facts.convolves and jax.default_backend() == "cpu" and lanes is None
    )
    carry = None if options.state is None else resumed(options.state, engine, stop, options.average)
    watch = watched(problem, solver, stop, options, carry)
    extras = {"keep": options.keep, "carry": carry, "feed": feed, "recovery": Recovery(options.on_nonfinite)}
    run = Run(task, engine, start.frozen, watch, **extras)
    if lanes is not None:
        restarts = run_lanes(run, engine)
        run.engine = Engine(task)
        run.engine.compile_seconds = engine.compile_seconds
        return describe(run, run.finish(), options, choice, restarts)
    try:
        outcome = run.go()
    except BaseException as error:
        if run.carry is not None:
            error.result = describe(run, run.broken_off(), options, choice, None)  # type: ignore[attr-defined]
        raise
    return describe(run, outcome, options, choice, None)


def feed_of(problem: Problem, state: Any) -> Feed | None:
    """The batches of a streamed problem, from where an earlier run stands."""
    if problem.stream is None:
        return None
    return Feed(problem.stream, int(state.step) if isinstance(state, Carry) else 0)


def watched(problem: Problem, solver: Solver, stop: Stop, options: Options, carry: Carry | None) -> Watch:
    """Who looks at the run, and when."""
    length = epoch_length(problem, solver, options.batches)
    once = problem.stream is not None and problem.stream.once
    epoch = Steps(STREAM_PERIOD) if once else Epochs(1)
    on_batches = not problem.whole or options.batches is not None
    default = epoch if on_batches else VALIDATE_EVERY
    validation = default if options.validate_every is None else options.validate_every
    validator = None
    if problem.validation is not None:
        stateful = Oracle.MODEL_STATE in problem.objective.offers
        size = options.batches.size if options.batches else problem.objective.examples
        validator = Validator(problem, stateful, max(BLOCK, size) if on_batches else None)
    return Watch(
        observe(options.callbacks, epoch if on_batches else 1, length, 0 if carry is None else int(carry.step)),
        validator,
        period("validate_every", validation, length),
        period("on_nonfinite", epoch if on_batches else 1, length),
        length.steps,
        duration(stop, length.steps),
    )


def epoch_length(problem: Problem, solver: Solver, batches: Batches | None) -> EpochLength:
    """How long a pass over the data lasts; less than a step where one step reads more examples than there are."""
    if problem.stream is not None:
        return EpochLength(problem.stream.steps_per_epoch, not problem.stream.once)
    examples = problem.objective.examples
    if batches is not None:
        return EpochLength(float(batches.steps(examples)), False)
    if examples and isinstance(solver, Samples):
        return EpochLength(examples / solver.examples(examples), False)
    return EpochLength(1.0 if examples else None, False)


def resumed(carry: Any, engine: Engine, stop: Stop, average: Average | None) -> Carry:
    """The state of an earlier run, ready to go on here; another stop rule starts afresh."""
    blank = engine.blank()
    if not isinstance(carry, Carry):
        raise TypeError(f"state={short(carry)} is not a run's state: pass the `state` of an earlier result.")
    if jax.tree.structure(carry.stop) != jax.tree.structure(blank.stop):
        carry = carry._replace(stop=stop.init())
    if average is None:
        carry = carry._replace(average=None)
    else:  # its numbers are this run's; what it has seen is the earlier run's, or nothing if that kept none
        seen = blank.average if carry.average is None else carry.average
        carry = carry._replace(average=seen._replace(average=jax.tree.map(real, average)))
    mine, theirs = (jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree) for tree in (blank, carry))
    if mine != theirs:
        raise ValueError(
            "state= belongs to another method, or to variables of other shapes: continue with the same ones."
        )
    return carry


def look(task: Task, engine: Engine) -> Facts:
    """The facts about a loss, found once for each program; refuses parameters that it never uses."""
    problem = task.problem
    if "facts" not in engine.notes:
        data = problem.objective.data
        facts = inspect(problem, task.x0, data if task.batches is None else shapes(data, task.batches.size))
        elsewhere = problem.equality is not None or problem.inequality is not None
        elsewhere = elsewhere or not isinstance(problem.nonsmooth, Zero)
        if facts.unused and not problem.allow_unused and not elsewhere:
            raise ValueError(
                f"The loss does not use the parameters {', '.join(facts.unused)}: remove them from x0, or pass "
                "Problem(..., allow_unused=True)."
            )
        engine.notes["facts"] = facts
    return engine.notes["facts"]


def describe(run: Run, outcome: Outcome, options: Options, choice: Choice, restarts: Restarts | None) -> Result:
    """The result."""
    trace = run.trace()
    assert run.carry is not None
    x, model_state, status, rule, kept, steps = outcome
    row = min(kept - run.first_step, len(trace.value) - 1)
    if status == Status.STEP_LIMIT and choice.default_limit and falls_steadily(trace):
        status, rule = Status.DIVERGED, None
    failed = status.failed or (status == Status.STEP_LIMIT and choice.default_limit)
    cut_short = run.exhausted and not isinstance(run.task.stop, Never)
    lost = None if status != Status.NONFINITE else lost_in(run, kept < steps)
    total = time.perf_counter() - run.began
    moved = run.task.x0, run.carry.state.x
    return Result(
        x=run.joined(x),
        status=status,
        ok=not failed and not cut_short,
        message=message(status, rule, trace, row, said(run, status, x), lost),
        advice=(REREAD,) if cut_short else advice(status, trace, row, moved, choice.default_limit, lost),
        rule=rule,
        signal=run.signals[0] if run.signals and status == Status.INTERRUPTED else None,
        steps=steps,
        epochs=run.epochs(),
        evals=total_evals(trace, run),
        seconds=Seconds(run.engine.compile_seconds, max(total - run.engine.compile_seconds, 0.0)),
        trace=trace,
        first_step=run.first_step,
        kept=kept,
        whole=run.whole,
        skipped=tuple(run.recovery.dropped),
        state=running(run.carry),
        average=averaged(run),
        model_state=model_state,
        method=run.task.solver,
        reason=choice.reason,
        validation=None if run.validator is None else run.validator.table(),
        restarts=restarts,
        later=Later(run.best, choice.name, lambda: configuration(run, options)),
    )


def averaged(run: Run) -> Params:
    """The average of the iterates, as the user's tree; None where none was asked for or no step was made."""
    assert run.carry is not None
    average = run.carry.average
    if average is None or not np.asarray(average.state.count) > 0:
        return None
    return run.joined(average.read(run.carry.state.x))


def lost_in(run: Run, validated: bool) -> Lost:
    """Where the numbers were lost."""
    data, step = run.task.problem.objective.data, run.first_step + run.last()
    segment = run.segment
    if segment is not None and segment.stack is not None:
        data = jax.tree.map(lambda b: b[step - segment.step], segment.stack)
    constraints = lost_constraints(run.task.problem, run.carry.point) if run.carry and run.whole else ""
    returned = "the best finite point" if run.whole else "the best validated point" if validated else "the point before"
    return Lost(step, run.culprit, run.whole, data, run.recovery.policy, returned, constraints)


def said(run: Run, status: Status, x: Params) -> str:
    """What the end of a run was about, where the loop itself does not know it."""
    if status == Status.INFEASIBLE:
        return in_words(violations(run.task.problem, x))
    if run.exhausted:
        return f"the stream had no batch after step {run.step}, and no stop rule had fired."
    if run.signals:
        return f"interrupted by {'SIGTERM' if run.signals[0] == signal.SIGTERM else 'Ctrl-C'}."
    return ""


def total_evals(trace: Trace, run: Run) -> Evals:
    """Every evaluation made, replayed steps and other lanes included."""
    parts = [trace.evals]
    parts += [unpack(rows, run.layout).evals for rows in run.replayed]
    return Evals(
        *(
            int(sum(np.asarray(column).sum(dtype=np.int64) for column in columns))
            for columns in zip(*parts, strict=True)
        )
    )


def configuration(run: Run, options: Options) -> dict:
    """What a configuration file needs to repeat the run."""
    return {
        "method": to_config(run.task.solver),
        "stop": to_config(run.task.stop),
        "keep": options.keep,
        "restarts": options.restarts,
        "spread": options.spread,
        "validate_every": to_config(options.validate_every),
        "seed": options.seed,
        "batch_size": None if options.batches is None else options.batches.size,
        "last": None if options.batches is None else options.batches.last,
        "shuffle": None if options.batches is None else options.batches.shuffle,
        "on_nonfinite": options.on_nonfinite,
        "average": to_config(options.average),
        "dispatch": "single" if run.engine.single else "chunk",
    }
