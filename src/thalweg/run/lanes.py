"""Many starts in parallel: the same loop under `vmap`, every lane with its own end."""

from typing import Any

import jax
import numpy as np

from thalweg.core.status import Status
from thalweg.core.stop import Stop, fired, make_host
from thalweg.core.trace import unpack
from thalweg.core.tree import is_key
from thalweg.run.chunks import Engine, Rows, Segment
from thalweg.run.driver import Run
from thalweg.run.lowest import Lowest, lowest
from thalweg.run.outcome import is_at_point, running
from thalweg.run.result import Restarts

CAPACITY = 64
"""Steps of a chunk. Finished lanes hold still until the chunk ends, so it is short."""

NOWHERE: Any = None
"""In place of a segment: the best point of a lane is its last, and is not replayed."""


def run_lanes(run: Run, engine: Engine) -> Restarts:
    """Runs all lanes to their ends and leaves the best one in `run`, as if it had run alone."""
    assert engine.lanes is not None
    n, at = engine.lanes.number, Segment(run.task, None, make_host(), 0)
    rows: list[list[np.ndarray]] = [[] for _ in range(n)]
    steps, status = np.zeros(n, int), np.full(n, Status.RUNNING.value)
    while (status == Status.RUNNING).any():
        carry, block = engine.advance(at, engine.capacity)
        at = at._replace(carry=carry)
        before, steps, status = steps, np.asarray(carry.step), np.asarray(carry.status)
        for lane in range(n):
            if steps[lane] > before[lane]:
                rows[lane].append(block.data[lane, : steps[lane] - before[lane]])
    carry = at.carry
    assert carry is not None
    _, ahead = engine.advance(at._replace(carry=running(carry), host=make_host(look=1)), 1)
    lanes = [lane_of(carry, i) for i in range(n)]
    values = np.array([final_value(run.task.stop, lanes[i], rows[i], ahead, i) for i in range(n)])
    lost = np.isnan(values) | (status >= Status.NONFINITE)
    best = int(np.argmin(np.where(lost, np.inf, values) if not lost.all() else np.nan_to_num(values, nan=np.inf)))
    run.carry, run.rows, run.layout = lanes[best], rows[best], ahead.layout
    run.step, run.last_row = int(steps[best]), ahead.data[best, :1]
    run.status = run.ended = Status(int(status[best]))
    run.last_point = run.carry.point
    ended = run.status.failed or is_at_point(run.status, fired(run.task.stop, run.carry.stop))
    run.lowest = Lowest((False, float(values[best])), run.last() + (0 if ended else 1), NOWHERE)
    run.replayed = [block for lane in range(n) if lane != best for block in rows[lane]]
    return Restarts(values, tuple(Status(int(s)) for s in status), steps)


def lane_of(carry: Any, lane: int) -> Any:
    """One lane's carry, taken on the host."""
    return jax.tree.map(lambda leaf: leaf[lane] if is_key(leaf) else np.asarray(leaf)[lane], carry)


def final_value(stop: Stop, carry: Any, rows: list[np.ndarray], ahead: Rows, lane: int) -> float:
    """A lane's value at the point that it would return."""
    status = Status(int(carry.status))
    if status.failed:
        trace = unpack(np.concatenate(rows), ahead.layout)
        row = lowest(trace)
        return float("nan") if row is None else float(trace.value[row])
    last = rows[-1][-1] if is_at_point(status, fired(stop, carry.stop)) else ahead.data[lane, 0]
    return float(unpack(last[None], ahead.layout).value[0])
