"""From a checked problem and method to a result: builds the run, lets it go, puts its end into words."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.config import to_config
from thalweg.core.iterate import Carry
from thalweg.core.nonsmooth import Zero
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.trace import Trace, unpack
from thalweg.core.types import Evals, Params
from thalweg.core.variables import short
from thalweg.run.callbacks import Callback
from thalweg.run.chunks import CAPACITY, Engine, Lanes, Task
from thalweg.run.driver import Outcome, Run, running
from thalweg.run.inspect import Facts, inspect
from thalweg.run.lanes import CAPACITY as LANES_CAPACITY
from thalweg.run.lanes import run_lanes
from thalweg.run.messages import advice, falls_steadily, message
from thalweg.run.result import Later, Restarts, Result, Seconds
from thalweg.run.validation import Validator


class Options(NamedTuple):
    """What `minimize` was asked for beside the problem, the method and the stop rule."""

    keep: str = "last"
    restarts: int = 1
    spread: float = 1.0
    seed: int = 0
    state: Carry | None = None
    validate_every: int = 10
    callbacks: tuple[Callback, ...] = ()
    chunk: int | None = None
    dispatch: str | None = None


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
    """Runs and reports."""
    task = Task(problem.training(start.frozen), solver, stop, np.asarray(options.seed, np.uint32), start.x)
    lanes = Lanes(options.restarts, float(options.spread)) if options.restarts > 1 else None
    engine = Engine(task, fixed=options.chunk, lanes=lanes, capacity=CAPACITY if lanes is None else LANES_CAPACITY)
    facts = look(task, engine)
    engine.single = options.dispatch == "single" or (
        options.dispatch is None and facts.convolves and jax.default_backend() == "cpu" and lanes is None
    )
    carry = None if options.state is None else resumed(options.state, engine, stop)
    validator = None if problem.validation is None else Validator(problem, options.validate_every)
    watch = {"keep": options.keep, "callbacks": options.callbacks, "validator": validator, "carry": carry}
    run = Run(task, engine, start.frozen, **watch)
    if lanes is None:
        return describe(run, run.go(), options, choice, None)
    restarts = run_lanes(run, engine)
    run.engine = Engine(task)
    run.engine.compile_seconds = engine.compile_seconds
    return describe(run, run.finish(), options, choice, restarts)


def resumed(carry: Any, engine: Engine, stop: Stop) -> Carry:
    """The state of an earlier run, ready to go on here; another stop rule starts afresh."""
    blank = engine.blank()
    if not isinstance(carry, Carry):
        raise TypeError(f"state={short(carry)} is not a run's state: pass the `state` of an earlier result.")
    if jax.tree.structure(carry.stop) != jax.tree.structure(blank.stop):
        carry = carry._replace(stop=stop.init())
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
        facts = inspect(problem, task.x0)
        if facts.unused and not problem.allow_unused and isinstance(problem.nonsmooth, Zero):
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
    x, status, rule, row, steps = outcome
    if status == Status.STEP_LIMIT and choice.default_limit and falls_steadily(trace):
        status, rule = Status.DIVERGED, None
    failed = status.failed or (status == Status.STEP_LIMIT and choice.default_limit)
    total = time.perf_counter() - run.began
    return Result(
        x=run.joined(x),
        status=status,
        ok=not failed,
        message=message(status, rule, trace, row),
        advice=advice(status, trace, row, moved=(run.task.x0, run.carry.state.x), default_limit=choice.default_limit),
        rule=rule,
        steps=steps,
        epochs=float(steps) if run.epochs() is not None else None,
        evals=total_evals(trace, run),
        seconds=Seconds(run.engine.compile_seconds, max(total - run.engine.compile_seconds, 0.0)),
        trace=trace,
        first_step=run.first_step,
        kept=run.first_step + row,
        state=running(run.carry),
        model_state=run.model_state(),
        method=run.task.solver,
        reason=choice.reason,
        validation=None if run.validator is None else run.validator.table(),
        restarts=restarts,
        later=Later(lambda: joined_best(run), choice.name, lambda: configuration(run, options)),
    )


def joined_best(run: Run) -> Any:
    """The best point as a tree like `x0`."""
    best = run.best()
    return best._replace(x=run.joined(best.x))


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
        "validate_every": options.validate_every,
        "seed": options.seed,
        "dispatch": "single" if run.engine.single else "chunk",
    }
