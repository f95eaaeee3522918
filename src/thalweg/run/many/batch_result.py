"""What many runs return, and how it reads."""

import collections
import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.trace import Trace
from thalweg.core.types import Evals, Params
from thalweg.core.variables import rejoin
from thalweg.run.explain.findings import Lost
from thalweg.run.explain.messages import first_bad, message
from thalweg.run.explain.violations import violated_in_words, violations
from thalweg.run.many.ends import RunEnds, entry, rule_that_ended
from thalweg.run.many.pool import EndedRuns
from thalweg.run.outcome import is_at_point
from thalweg.run.result import LISTED, WallTime, count, duration, plural


class _OneRun(NamedTuple):
    """One run of many, in the words of `Result`."""

    x: Params
    value: float
    optimality: float
    infeasibility: float
    status: Status
    ok: bool
    message: str
    steps: int
    evals: Evals
    trace: Trace


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class BatchResult:
    """The outcome of `minimize_batch`: every number has a leading axis of runs; printing it gives a summary.

    - `x`: the solutions, a tree like `starts`. `value`, `optimality`, `infeasibility`: there. A run that failed
      returns its best finite point.
    - `status`: numbers of `tw.Status`; `ok`: whether a run ended as it was asked to; `steps`, `evals`: the work done.
    - `result[i]`: everything about one run, with its `message` and `trace`. `best`: the number of the lowest run.
    - `seconds`: `(compile, run)` of all together. `method`: the solver that ran, `name`: what it is called; `reason`:
      why, where it was not named. `maximize`: whether the values are in the sign of an objective that is maximized.
    - `problem`, `frozen`, `stop`, `ended`, `ends`: from which single runs are read.
    """

    x: Params
    value: np.ndarray
    optimality: np.ndarray
    infeasibility: np.ndarray
    status: np.ndarray
    ok: np.ndarray
    steps: np.ndarray
    evals: Evals
    seconds: WallTime
    method: Solver
    name: str
    reason: str | None
    maximize: bool
    problem: Problem
    frozen: Any
    stop: Stop
    ended: EndedRuns
    ends: RunEnds

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, run: int) -> _OneRun:
        if not -len(self) <= run < len(self):
            raise IndexError(f"result[{run}]: there are {len(self)} runs.")
        run = run % len(self)
        return _OneRun(
            x=rejoin(self.point(run), self.frozen),
            value=float(self.value[run]),
            optimality=float(self.optimality[run]),
            infeasibility=float(self.infeasibility[run]),
            status=Status(int(self.status[run])),
            ok=bool(self.ok[run]),
            message=self.message(run),
            steps=int(self.steps[run]),
            evals=Evals(*(int(column[run]) for column in self.evals)),
            trace=self.trace(run),
        )

    def point(self, run: int) -> Params:
        """The variables that one run returns."""
        return jax.tree.map(lambda leaf: leaf[run], _without_frozen(self.x, self.frozen))

    def trace(self, run: int) -> Trace:
        """The rows of one run, up to that of the point that it returns."""
        first, last = self.ended.at[run], self.ended.at[run + 1]
        last = last if self.status[run] >= Status.NONFINITE else self.ends.row[run] + 1
        trace = jax.tree.map(lambda column: column[first:last], self.ends.trace)
        return trace._replace(value=-trace.value) if self.maximize else trace

    def message(self, run: int) -> str:
        """Why one run ended, in a sentence."""
        trace, status = self.trace(run), Status(int(self.status[run]))
        rule = None if status.failed else rule_that_ended(self.stop, self.ended.carry, run)
        culprit = first_bad(entry(self.ended.carry.state.x, run))
        step = int(self.steps[run]) - (0 if rule and not is_at_point(status, rule) else 1)
        lost = Lost(step, culprit, True, None, "stop", "the best finite point") if status.failed else None
        row, sign = int(self.ends.row[run] - self.ended.at[run]), -1 if self.maximize else 1
        unmet = violated_in_words(violations(self.problem, self.point(run))) if status == Status.INFEASIBLE else ""
        return message(status, rule, trace, row, unmet, lost, sign)

    @functools.cached_property
    def best(self) -> int:
        """The number of the run with the best value among those that are ok; of all runs where none is."""
        values = -self.value if self.maximize else self.value
        values = np.where(np.isnan(values), np.inf, values)
        return int(np.argmin(np.where(self.ok, values, np.inf) if self.ok.any() else values))

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The summary, line by line."""
        names = collections.Counter(Status(int(status)).name for status in self.status)
        ends = ", ".join(f"{n} {name}" for name, n in names.most_common())
        rows = [("value", _span(self.value)), ("optimality", _span(self.optimality)), ("steps", _span(self.steps))]
        if np.any(self.infeasibility > 0):
            rows.append(("infeasible", _span(self.infeasibility)))
        rows += [(f"run {run}", self.says(int(run))) for run in np.flatnonzero(~self.ok)[:LISTED]]
        rows.append(("evaluations", count(Evals(*(int(np.sum(column)) for column in self.evals)))))
        rows.append(("time", f"{duration(self.seconds.compile)} to compile, {duration(self.seconds.run)} to run"))
        rows.append(("method", self.reason or self.name))
        width = max(len(name) for name, _ in rows) + 1
        return [f"{plural(len(self), 'run')}: {ends}"] + [f"  {name:<{width}}{text}" for name, text in rows]

    def says(self, run: int) -> str:
        """How one run ended, in a line."""
        steps = plural(int(self.steps[run]), "step")
        return f"{Status(int(self.status[run])).name} after {steps}: {self.message(run)}".rstrip(": ")


def _without_frozen(x: Params, frozen: Any) -> Params:
    """`x` without what is held fixed."""
    if frozen is None:
        return x
    return jax.tree.map(lambda held, leaf: leaf if held is None else None, frozen, x, is_leaf=lambda leaf: leaf is None)


def _span(values: np.ndarray) -> str:
    """Lowest, median and highest of many numbers."""
    finite = values[~np.isnan(values)]
    if not len(finite):
        return "not measured"
    lost = f", {len(values) - len(finite)} NaN" if len(finite) < len(values) else ""
    return f"{finite.min():.6g} lowest, {np.median(finite):.6g} median, {finite.max():.6g} highest{lost}"
