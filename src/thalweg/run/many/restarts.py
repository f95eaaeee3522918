"""Restarts: many starts of one problem, of which the best is returned as if it had run alone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.oracle import Oracle
from thalweg.core.status import Status
from thalweg.core.types import Params
from thalweg.run.driver import Run
from thalweg.run.engine import Engine
from thalweg.run.ledger import Ledger
from thalweg.run.many.ends import RunEnds, entry, run_ends
from thalweg.run.many.pool import EndedRuns, Pool, Runs
from thalweg.run.plan import Plan, Request
from thalweg.run.programs import Task
from thalweg.run.result import Point, Restarts
from thalweg.run.state import RunState


def run_restarts(plan: Plan, x: Params, request: Request, engine: Engine) -> tuple[Run, Restarts]:
    """Runs all lanes to their ends: the best one as a run that has come to its end, and what became of all."""
    run = Run(plan, request, x, engine, RunState(plan.task.solver))
    starts = _starts_around(plan.task, run.seed, x, request.restarts, float(request.spread))
    ended = Pool(Runs(plan.task, run.seed, starts, request.restarts, per_epoch=plan.epoch.steps)).run()
    ends = run_ends(ended, plan.task.stop)
    values = ends.values
    lost = np.isnan(values) | ends.lost
    best = int(np.argmin(np.where(lost, np.inf, values) if not lost.all() else np.nan_to_num(values, nan=np.inf)))
    run.state = _lane_state(plan, ended, ends, best)
    engine.compile_seconds += ended.compile_seconds
    statuses = tuple(Status(int(status)) for status in ends.status)
    return run, Restarts(plan.problem.sign * values, statuses, ends.steps)


def _lane_state(plan: Plan, ended: EndedRuns, ends: RunEnds, lane: int) -> RunState:
    """The state of a lane's run at its end; the rows of all others are steps made for nothing."""
    begin, stop = ended.at[lane], ended.at[lane + 1]
    carry, best, steps = entry(ended.carry, lane), entry(ended.best, lane), int(ends.steps[lane])
    ledger, looked = Ledger(), stop - begin > steps and not ends.at_point[lane]
    end = begin + steps + looked  # a converged run returns the point of its last step, whatever a look would find
    point = Point(best.x, float(best.rank.value), int(best.step))
    ledger.add(ended.rows[begin:end], ended.layout, point, carry.state.x if looked else carry.point)
    ledger.add_again(np.concatenate([ended.rows[:begin], ended.rows[end:]]))
    status, verdict = Status(int(ends.status[lane])), Status(int(ended.carry.status[lane]))
    return RunState(plan.task.solver, carry, steps, ledger=ledger, status=status, verdict=verdict)


def _starts_around(task: Task, seed: Any, x0: Params, number: int, spread: float) -> Params:
    """The starts: the first is the user's, the others are normal around it, or drawn by a latent-variable model.

    Normal numbers come from the host: the program that would draw them takes longer to compile than the runs take.
    """
    if Oracle.START in task.problem.objective.offers:
        found, dynamic = program(_drawn_starts, task, seed, x0, np.arange(number, dtype=np.int32))
        return jax.tree.map(np.asarray, found.call(dynamic))
    random = np.random.default_rng(int(seed))

    def scatter(leaf):
        leaf = np.asarray(leaf)
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return np.broadcast_to(leaf, (number, *leaf.shape))
        noise = random.normal(size=(number, *leaf.shape)) * np.maximum(np.abs(leaf.astype(float)), 1)
        noise[0] = 0
        return (leaf + spread * noise).astype(leaf.dtype)

    x = jax.tree.map(scatter, x0)
    return x if task.problem.bounds is None else task.problem.bounds.start(x)


def _drawn_starts(task: Task, seed: Any, x0: Params, numbers: Any) -> Params:
    """Starts that a latent-variable model draws, after the first."""
    objective = task.problem.objective

    def one(number):
        key = jax.random.fold_in(jax.random.key(seed), number)
        new = objective.start(jax.random.fold_in(key, 2**31))
        return jax.tree.map(lambda new, old: jnp.where(number == 0, old, new.astype(old.dtype)), new, x0)

    return jax.vmap(one)(numbers)
