"""From a plan and a start to a result: builds the run, lets it go, and has its end summarized."""

from typing import Any

import jax
import numpy as np

from thalweg.core.average import Average
from thalweg.core.duration import over
from thalweg.core.iterate import Carry, shapes
from thalweg.core.nonsmooth import Zero
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.types import Params, real
from thalweg.core.variables import short
from thalweg.run.driver import Run
from thalweg.run.ending import broken_off, finish
from thalweg.run.engine import Engine
from thalweg.run.explain.cautions import within
from thalweg.run.ledger import Ledger
from thalweg.run.loss_facts import LossFacts, inspect_loss
from thalweg.run.many.restarts import run_restarts
from thalweg.run.observe.callbacks import observe
from thalweg.run.plan import Plan, Request
from thalweg.run.prefetch import Prefetch
from thalweg.run.result import Result
from thalweg.run.state import Recovered, RunState, Shown, Validations
from thalweg.run.summary import summarize
from thalweg.run.validation import VALIDATION_BLOCK, Validator


def launch(plan: Plan, x: Params, request: Request) -> Result:
    """Runs and reports. An exception on the way carries what was reached as its `result`.

    A start outside the bounds is moved to the nearest point within, with a warning.
    """
    x = within(plan.problem, x)
    prefetch = _prefetched(plan, request.state)
    engine = engine_for(plan, x, request, prefetch)
    if request.restarts > 1:
        run, restarts = run_restarts(plan, x, request, engine)
        return summarize(run, finish(run), restarts)
    run = begin(plan, x, request, engine, prefetch)
    try:
        with run.attended():
            run.go()
            outcome = finish(run)
            run.call_back(final=True)
    except BaseException as error:
        if run.state.carry is not None:
            error.result = summarize(run, broken_off(run))  # type: ignore[attr-defined]
        raise
    return summarize(run, outcome)


def begin(plan: Plan, x: Params, request: Request, engine: Engine, prefetch: Prefetch | None) -> Run:
    """The run before its first chunk."""
    problem, carry = plan.problem, None
    if request.state is not None:
        carry = _resumed(request.state, engine, plan.task.stop, plan.task.average)
    step = 0 if carry is None else int(carry.step)
    observers = observe(request.callbacks, plan.cadence.callbacks, plan.epoch)
    state = RunState(
        plan.task.solver,
        carry,
        step,
        ledger=Ledger(step),
        validations=Validations(problem.sign),
        recovered=Recovered(safe=carry),
        shown=[Shown(step) for _ in observers],
    )
    parts = {"prefetch": prefetch, "validator": _validator(plan, request), "observers": observers}
    run = Run(plan, request, x, engine, state, **parts)
    if carry is not None and (rule := over(plan.task.stop, step, run.epochs(), plan.epoch.steps)) is not None:
        state.rule, state.status = rule, Status.STEP_LIMIT
    return run


def engine_for(plan: Plan, x: Params, request: Request, prefetch: Prefetch | None = None) -> Engine:
    """What runs the plan's chunks; refuses a loss that cannot be compiled, or that leaves parameters unused."""
    stack = None if prefetch is None else jax.tree.map(lambda leaf: leaf[None], prefetch.sample)
    engine = Engine(plan.programs_for(np.asarray(request.seed, np.uint32), x, stack), fixed=request.chunk)
    facts = _facts_of(plan, x, engine)
    convolves = facts.convolves and jax.default_backend() == "cpu"
    engine.single = request.dispatch == "single" or (request.dispatch is None and convolves)
    return engine


def _facts_of(plan: Plan, x: Params, engine: Engine) -> LossFacts:
    """The facts about a loss, found once for each program; refuses parameters that it never uses."""
    problem, batches = plan.task.problem, plan.task.batches
    if "facts" not in engine.notes:
        data = problem.objective.data
        facts = inspect_loss(problem, x, data if batches is None else shapes(data, batches.size))
        elsewhere = problem.equality is not None or problem.inequality is not None
        elsewhere = elsewhere or not isinstance(problem.nonsmooth, Zero)
        if facts.unused and not problem.allow_unused and not elsewhere:
            raise ValueError(
                f"The loss does not use the parameters {', '.join(facts.unused)}: remove them from x0, or pass "
                "Problem(..., allow_unused=True)."
            )
        engine.notes["facts"] = facts
    return engine.notes["facts"]


def _prefetched(plan: Plan, state: Any) -> Prefetch | None:
    """The batches of a streamed problem, from where an earlier run stands."""
    if plan.problem.stream is None:
        return None
    return Prefetch(plan.problem.stream, int(state.step) if isinstance(state, Carry) else 0)


def _validator(plan: Plan, request: Request) -> Validator | None:
    """What measures the problem's validation data, in blocks where a step sees batches."""
    problem, batches = plan.problem, request.batches
    if problem.validation is None:
        return None
    size = batches.size if batches else problem.objective.examples
    return Validator(problem, None if plan.whole else max(VALIDATION_BLOCK, size))


def _resumed(carry: Any, engine: Engine, stop: Stop, average: Average | None) -> Carry:
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
