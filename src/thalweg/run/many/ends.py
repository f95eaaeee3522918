"""How the runs of a pool ended, and which point each of them returns."""

from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.status import Status
from thalweg.core.stop import Stop, fired
from thalweg.core.trace import Trace, unpack
from thalweg.core.tree import is_key
from thalweg.core.types import Evals, Params
from thalweg.run.many.pool import EndedRuns
from thalweg.run.outcome import is_at_point


class RunEnds(NamedTuple):
    """How each run ended.

    - `status`; `steps`; `at_point`: whether the run returns the point of its last step's row.
    - `lost`: whether the run failed; its point is then the best one.
    - `row`: the row, among all, that describes the point that the run returns. `trace`: all rows, unpacked.
    - `values`: there, NaN where no point of the run was finite.
    """

    status: np.ndarray
    steps: np.ndarray
    at_point: np.ndarray
    lost: np.ndarray
    row: np.ndarray
    trace: Trace
    values: np.ndarray


def run_ends(ended: EndedRuns, stop: Stop) -> RunEnds:
    """How each run ended, with the look at its last point."""
    carry, at, trace = ended.carry, ended.at, unpack(ended.rows, ended.layout)
    status, steps = np.array(carry.status), np.array(carry.step)
    looked = at[1:] - at[:-1] > steps
    seen = trace.status[at[1:] - 1]
    at_point = np.array([_ends_at_point(stop, carry, run) for run in range(len(status))])
    gone = looked & ~at_point & ((seen == Status.NONFINITE) | (seen == Status.DIVERGED))
    status = np.where(gone, seen, status)
    lost = status >= Status.NONFINITE
    row = at[:-1] + np.where(lost, ended.best.step, np.where(at_point, steps - 1, steps))
    values = np.where(lost & ~np.isfinite(ended.best.rank.value), np.nan, trace.value[row])
    return RunEnds(status, steps, at_point, lost, row, trace, values)


def rule_that_ended(stop: Stop, carry: Any, run: int) -> Stop | None:
    """The stop rule that ended a run; None after a failure of the numbers."""
    status = Status(int(carry.status[run]))
    return None if status.failed else fired(stop, entry(carry.stop, run), status)


def _ends_at_point(stop: Stop, carry: Any, run: int) -> bool:
    """Whether a run returns the point of its last step's row. Most converge, and need not be asked for the rule."""
    status = Status(int(carry.status[run]))
    return status == Status.CONVERGED or is_at_point(status, rule_that_ended(stop, carry, run))


def entry(tree: Any, run: int) -> Any:
    """One run's part of a tree with a leading axis of runs."""
    return jax.tree.map(lambda leaf: leaf[run] if is_key(leaf) else np.asarray(leaf[run]), tree)


def returned_points(ended: EndedRuns, ends: RunEnds) -> Params:
    """The variables that each run returns."""

    def one(point, x, best):
        def wide(mask):
            return mask.reshape(-1, *[1] * (best.ndim - 1))

        return np.where(wide(ends.lost), best, np.where(wide(ends.at_point), point, x))

    return jax.tree.map(one, ended.carry.point, ended.carry.state.x, ended.best.x)


def evals_of_runs(ended: EndedRuns, ends: RunEnds) -> Evals:
    """The evaluations of each run, the look at its last point included."""
    return Evals(*(np.add.reduceat(column.astype(np.int64), ended.at[:-1]) for column in ends.trace.evals))
