"""From a checked problem and method to a result: builds the run, lets it go, puts its end into words."""

import signal
import time
from collections.abc import Callable, Sequence
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
from thalweg.core.trace import Layout, Trace, unpack
from thalweg.core.types import Evals, Params, real
from thalweg.core.variables import short
from thalweg.run.periods import EpochLength, period
from thalweg.run.observe.callbacks import Callback, Watch, observe
from thalweg.run.engine import Engine, Origin, Programs, Task
from thalweg.run.driver import Run
from thalweg.run.prefetch import REREAD, Feed
from thalweg.run.loss_facts import Facts, inspect
from thalweg.run.many.restarts import run_restarts
from thalweg.run.explain.messages import Lost, advice, falls_steadily, message
from thalweg.run.outcome import Outcome, running
from thalweg.run.recovery import Recovery
from thalweg.run.result import Later, Restarts, Result, Seconds, Words
from thalweg.run.validation import BLOCK, Validator
from thalweg.run.explain.violations import in_words, lost_constraints, violations

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


class Choice(NamedTuple):
    """How the method is called, why it was chosen (None: by the user), whether the step limit was the default."""

    name: Callable[[], str]
    reason: str | None
    default_limit: bool


class Plan(NamedTuple):
    """A checked run but for the numbers of one call (start, seed, clock): runs alike share it.

    - `problem`: the user's; `task`: what is compiled of it; `frozen`: the leaves of `x0` that are held fixed.
    - `length`: of a pass over the data; `watch`: what a run without observers looks at, and when.
    - `programs`: those of the runs so far, at most one entry.
    """

    problem: Problem
    task: Task
    frozen: Any
    choice: Choice
    length: EpochLength
    watch: Watch
    programs: list[Programs]


def make_plan(problem: Problem, solver: Solver, stop: Stop, frozen: Any, options: Options, choice: Choice) -> Plan:
    """The plan of checked parts."""
    length = epoch_length(problem, solver, options.batches)
    task = Task(problem.training(frozen), solver, stop, options.batches, options.average)
    return Plan(problem, task, frozen, choice, length, periods(problem, stop, length, options), [])


def launch(plan: Plan, x: Params, options: Options) -> Result:
    """Runs and reports. An exception on the way carries what was reached as its `result`."""
    origin = Origin(np.asarray(options.seed, np.uint32), x)
    feed = feed_of(plan.problem, options.state)
    engine = Engine(programs_of(plan, origin, feed), fixed=options.chunk)
    facts = look(plan.task, x, engine)
    engine.single = options.dispatch == "single" or (
        options.dispatch is None and facts.convolves and jax.default_backend() == "cpu"
    )
    carry = None if options.state is None else resumed(options.state, engine, plan.task.stop, options.average)
    watch = watched(plan, options, carry)
    extras = {"keep": options.keep, "carry": carry, "feed": feed, "recovery": Recovery(options.on_nonfinite)}
    run = Run(plan.task, origin, engine, plan.frozen, watch, **extras)
    if options.restarts > 1:
        restarts = run_restarts(run, options.restarts, options.spread)
        return describe(run, run.finish(), options, plan.choice, restarts)
    try:
        outcome = run.go()
    except BaseException as error:
        if run.carry is not None:
            error.result = describe(run, run.broken_off(), options, plan.choice, None)  # type: ignore[attr-defined]
        raise
    return describe(run, outcome, options, plan.choice, None)


def programs_of(plan: Plan, origin: Origin, feed: Feed | None) -> Programs:
    """The programs of a plan, made at its first run; those of a stream depend on its batches."""
    if feed is not None:
        return Programs(plan.task, origin, jax.tree.map(lambda leaf: leaf[None], feed.sample))
    if not plan.programs:
        plan.programs.append(Programs(plan.task, origin))
    return plan.programs[0]


def feed_of(problem: Problem, state: Any) -> Feed | None:
    """The batches of a streamed problem, from where an earlier run stands."""
    if problem.stream is None:
        return None
    return Feed(problem.stream, int(state.step) if isinstance(state, Carry) else 0)


def periods(problem: Problem, stop: Stop, length: EpochLength, options: Options) -> Watch:
    """When a run is looked at, and how long it is."""
    epoch, on_batches = epoch_of(problem), not problem.whole or options.batches is not None
    default = epoch if on_batches else VALIDATE_EVERY
    validation = default if options.validate_every is None else options.validate_every
    return Watch(
        (),
        None,
        period("validate_every", validation, length),
        period("on_nonfinite", epoch if on_batches else 1, length),
        length.steps,
        duration(stop, length.steps),
    )


def epoch_of(problem: Problem) -> Epochs | Steps:
    """A pass over the data, or what stands for one."""
    return Steps(STREAM_PERIOD) if problem.stream is not None and problem.stream.once else Epochs(1)


def watched(plan: Plan, options: Options, carry: Carry | None) -> Watch:
    """Who looks at this run."""
    problem, on_batches = plan.problem, not plan.problem.whole or options.batches is not None
    if problem.validation is None and not options.callbacks:
        return plan.watch
    validator = None
    if problem.validation is not None:
        stateful = Oracle.MODEL_STATE in problem.objective.offers
        size = options.batches.size if options.batches else problem.objective.examples
        validator = Validator(problem, stateful, max(BLOCK, size) if on_batches else None)
    every, begun = epoch_of(problem) if on_batches else 1, 0 if carry is None else int(carry.step)
    observers = observe(options.callbacks, every, plan.length, begun)
    return plan.watch._replace(observers=observers, validator=validator)


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


def look(task: Task, x: Params, engine: Engine) -> Facts:
    """The facts about a loss, found once for each program; refuses parameters that it never uses."""
    problem = task.problem
    if "facts" not in engine.notes:
        data = problem.objective.data
        facts = inspect(problem, x, data if task.batches is None else shapes(data, task.batches.size))
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
    """The result; what takes time to put into words is put there when somebody asks."""
    assert run.carry is not None
    x, model_state, status, rule, kept, steps = outcome
    limited, sign = status == Status.STEP_LIMIT and choice.default_limit, run.task.problem.sign
    if limited and falls_steadily(sign * run.trace().value):
        outcome = outcome._replace(status=Status.DIVERGED, rule=None)
        status, rule = outcome.status, outcome.rule
    failed = status.failed or limited
    cut_short = run.exhausted and not isinstance(run.task.stop, Never)
    total = time.perf_counter() - run.began
    blocks = *run.rows, *run.replayed
    return Result(
        x=run.joined(x),
        status=status,
        ok=not failed and not cut_short,
        rule=rule,
        signal=run.signals[0] if run.signals and status == Status.INTERRUPTED else None,
        steps=steps,
        epochs=run.epochs(),
        seconds=Seconds(run.engine.compile_seconds, max(total - run.engine.compile_seconds, 0.0)),
        first_step=run.first_step,
        kept=kept,
        whole=run.whole,
        maximize=sign < 0,
        skipped=tuple(run.recovery.dropped),
        state=running(run.carry),
        average=averaged(run),
        model_state=model_state,
        method=run.task.solver,
        reason=choice.reason,
        validation=None if run.validator is None else run.validator.table(),
        restarts=restarts,
        later=Later(
            run.trace,
            lambda: total_evals(blocks, run.layout),
            lambda trace: words(run, trace, outcome, choice.default_limit, cut_short),
            run.best,
            choice.name,
            lambda: configuration(run, options),
        ),
    )


def words(run: Run, trace: Trace, outcome: Outcome, default_limit: bool, cut_short: bool) -> Words:
    """The end of a run in words."""
    assert run.carry is not None
    x, _, status, rule, kept, steps = outcome
    row = min(kept - run.first_step, len(trace.value) - 1)
    lost = None if status != Status.NONFINITE else lost_in(run, kept < steps)
    moved = run.origin.x0, run.carry.state.x
    return Words(
        message(status, rule, trace, row, said(run, status, x), lost, run.task.problem.sign),
        (REREAD,) if cut_short else advice(status, trace, row, moved, default_limit, lost, run.task.problem.sign),
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


def total_evals(blocks: Sequence[np.ndarray], layout: Layout | None) -> Evals:
    """Every evaluation made, replayed steps and other lanes included."""
    parts = [unpack(rows, layout).evals for rows in blocks if layout is not None]
    return (
        Evals(*(int(sum(np.sum(n, dtype=np.int64) for n in counts)) for counts in zip(*parts, strict=True)))
        if parts
        else Evals()
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
