"""Restarts: many starts of one problem, of which the best is returned as if it had run alone."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.objective import Latent
from thalweg.core.status import Status
from thalweg.core.stop import Stop, fired
from thalweg.core.trace import Trace, unpack
from thalweg.core.tree import is_key
from thalweg.core.types import Params
from thalweg.run.chunks import Origin, Task
from thalweg.run.driver import Run
from thalweg.run.lowest import Lowest
from thalweg.run.outcome import is_at_point
from thalweg.run.pool import Ended, Pool, Runs
from thalweg.run.result import Point, Restarts


class Ends(NamedTuple):
    """How each run ended.

    - `status`; `steps`; `at_point`: whether the run returns the point of its last step's row.
    - `row`: the row, among all, that describes the point that the run returns. `trace`: all rows, unpacked.
    - `values`: there, NaN where no point of the run was finite.
    - `lost`: whether the run failed; its point is then the best one, and `row` the one that describes that.
    """

    status: np.ndarray
    steps: np.ndarray
    at_point: np.ndarray
    lost: np.ndarray
    row: np.ndarray
    trace: Trace
    values: np.ndarray


def run_restarts(run: Run, number: int, spread: float) -> Restarts:
    """Runs all lanes to their ends and leaves the best one in `run`."""
    starts = starts_around(run.task, run.origin, number, float(spread))
    ended = Pool(Runs(run.task, run.origin.seed, starts, None, number, run.watch.per_epoch)).run()
    ends = ends_of(ended, run.task.stop)
    values = ends.values
    lost = np.isnan(values) | ends.lost
    best = int(np.argmin(np.where(lost, np.inf, values) if not lost.all() else np.nan_to_num(values, nan=np.inf)))
    leave(run, ended, ends, best)
    run.replayed = [np.concatenate([ended.rows[: ended.at[best]], ended.rows[ended.at[best + 1] :]])]
    run.engine.compile_seconds += ended.compile_seconds
    return Restarts(run.task.problem.sign * values, tuple(Status(int(s)) for s in ends.status), ends.steps)


def leave(run: Run, ended: Ended, ends: Ends, lane: int) -> None:
    """The run as that lane would have left it."""
    rows, steps = ended.rows[ended.at[lane] : ended.at[lane + 1]], int(ends.steps[lane])
    run.carry = lane_of(ended.carry, lane)
    run.rows, run.layout, run.step = [rows[:steps]], ended.layout, steps
    run.last_row = rows[steps:] if len(rows) > steps else None
    run.status = run.ended = Status(int(ended.carry.status[lane]))
    run.last_point = run.carry.point
    best = lane_of(ended.best, lane)
    step, value = int(best.step), float(best.value)
    run.lowest = Lowest((float(best.excess), value), step, Point(best.x, value, step))


def ends_of(ended: Ended, stop: Stop) -> Ends:
    """How each run ended, with the look at its last point."""
    carry, at, trace = ended.carry, ended.at, unpack(ended.rows, ended.layout)
    status, steps = np.array(carry.status), np.array(carry.step)
    looked = at[1:] - at[:-1] > steps
    seen = trace.status[at[1:] - 1]
    at_point = np.array([ends_at_point(stop, carry, lane) for lane in range(len(status))])
    gone = looked & ~at_point & ((seen == Status.NONFINITE) | (seen == Status.DIVERGED))
    status = np.where(gone, seen, status)
    lost = status >= Status.NONFINITE
    row = at[:-1] + np.where(lost, ended.best.step, np.where(at_point, steps - 1, steps))
    values = np.where(lost & ~np.isfinite(ended.best.value), np.nan, trace.value[row])
    return Ends(status, steps, at_point, lost, row, trace, values)


def rule_of(stop: Stop, carry: Any, lane: int) -> Stop | None:
    """The stop rule that ended a run; None after a failure of the numbers."""
    status = Status(int(carry.status[lane]))
    return None if status.failed else fired(stop, lane_of(carry.stop, lane), status)


def ends_at_point(stop: Stop, carry: Any, lane: int) -> bool:
    """Whether a run returns the point of its last step's row. Most converge, and need not be asked for the rule."""
    status = Status(int(carry.status[lane]))
    return status == Status.CONVERGED or is_at_point(status, rule_of(stop, carry, lane))


def lane_of(tree: Any, lane: int) -> Any:
    """One lane of a tree."""
    return jax.tree.map(lambda leaf: leaf[lane] if is_key(leaf) else np.asarray(leaf[lane]), tree)


def starts_around(task: Task, origin: Origin, number: int, spread: float) -> Params:
    """The starts: the first is the user's, the others are normal around it, or drawn by a latent-variable model.

    Normal numbers come from the host: the program that would draw them takes longer to compile than the runs take.
    """
    if isinstance(task.problem.objective, Latent):
        found, dynamic = program(draw, task, origin, np.arange(number, dtype=np.int32))
        return jax.tree.map(np.asarray, found.call(dynamic))
    random = np.random.default_rng(int(origin.seed))

    def scatter(leaf):
        leaf = np.asarray(leaf)
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return np.broadcast_to(leaf, (number, *leaf.shape))
        noise = random.normal(size=(number, *leaf.shape)) * np.maximum(np.abs(leaf.astype(float)), 1)
        noise[0] = 0
        return (leaf + spread * noise).astype(leaf.dtype)

    x = jax.tree.map(scatter, origin.x0)
    return x if task.problem.bounds is None else task.problem.bounds.start(x)


def draw(task: Task, origin: Origin, numbers: Any) -> Params:
    """Starts that a latent-variable model draws, after the first."""
    objective = task.problem.objective
    assert isinstance(objective, Latent)

    def one(number):
        key = jax.random.fold_in(jax.random.key(origin.seed), number)
        new = objective.start(jax.random.fold_in(key, 2**31))
        return jax.tree.map(lambda new, old: jnp.where(number == 0, old, new.astype(old.dtype)), new, origin.x0)

    return jax.vmap(one)(numbers)
