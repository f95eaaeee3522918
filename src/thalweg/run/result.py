"""What a run returns, and how it reads."""

import dataclasses
import functools
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.trace import Trace
from thalweg.core.types import Evals, Params
from thalweg.run.explain.findings import Finding

LISTED = 5
"""Numbers that a line lists."""


class WallTime(NamedTuple):
    """Wall time: tracing and compiling, and everything else."""

    compile: float
    run: float


class Point(NamedTuple):
    """A point, the value measured there, and the step that measured it."""

    x: Params
    value: float
    step: int


class Validation(NamedTuple):
    """Validation values by step; `metrics` maps a name to an array of the same length."""

    step: np.ndarray
    value: np.ndarray
    metrics: dict[str, np.ndarray]


class Restarts(NamedTuple):
    """Every lane of a run with restarts: final value, status and steps. The result is the best lane's."""

    values: np.ndarray
    statuses: tuple[Status, ...]
    steps: np.ndarray


class Words(NamedTuple):
    """Why the run ended, in a sentence, and what it shows."""

    message: str
    findings: tuple[Finding, ...]


class Later(NamedTuple):
    """What is worked out only if somebody asks: together it takes as long as a short run."""

    trace: Callable[[], Trace]
    evals: Callable[[], Evals]
    words: Callable[[Trace], Words]
    best: Callable[[], Point]
    name: Callable[[], str]
    config: Callable[[], dict]


@dataclasses.dataclass(eq=False, repr=False, kw_only=True)
class Result:
    """The outcome of `minimize`; printing it gives a summary.

    - `x`: the solution, a tree like `x0`. `value`, `optimality`, `infeasibility`: the objective, the first-order
      residual and the largest violation of a constraint there (NaN where the method does not measure them).
    - `status`: why the run ended; `ok`: whether that is what was asked for; `message`: in a sentence; `advice`: what
      to try next, and `findings`: the same as `(name, sentence, cure)`; `rule`: the stop rule that fired, None after a
      failure of the numbers; `signal`: the number of the signal that interrupted the run, or None.
    - `steps`, `epochs`, `evals`: the work done. `seconds`: `(compile, run)`.
    - `trace`: one row a step, from `first_step` on (0 unless an earlier run was continued); row `t` describes `x_t`.
      `kept`: the step whose point `x` is.
    - `whole`: whether every step saw the same data. On batches `value` is that of the last batch.
    - `maximize`: whether the objective was maximized: values are in the user's sign, and the best is the highest.
    - `skipped`: the steps that were dropped because their numbers were not finite.
    - `best`: the lowest point seen, `(x, value, step)`; on batches the one with the lowest validation value.
    - `average`: the average of the iterates that `minimize(average=...)` asked for, a tree like `x`, or None.
    - `state`: pass it as `minimize(..., state=result.state)` to go on. `model_state`: of a stateful loss.
    - `method`: the solver that ran; `reason`: why, where it was not named; `config`: the run as JSON can hold it.
    - `validation`: validation values and metrics, or None. `restarts`: all lanes, or None.
    - `later`: how the trace, counts and words are worked out when somebody asks for them.
    """

    x: Params
    status: Status
    ok: bool
    rule: Stop | None
    signal: int | None
    steps: int
    epochs: float | None
    seconds: WallTime
    first_step: int
    kept: int
    whole: bool
    maximize: bool
    skipped: tuple[int, ...]
    state: Carry
    average: Params
    model_state: Any
    method: Solver
    reason: str | None
    validation: Validation | None
    restarts: Restarts | None
    later: Later

    @functools.cached_property
    def trace(self) -> Trace:
        """One row a step."""
        return self.later.trace()

    @functools.cached_property
    def evals(self) -> Evals:
        """Every evaluation made."""
        return self.later.evals()

    @functools.cached_property
    def words(self) -> Words:
        """The message and the findings."""
        return self.later.words(self.trace)

    @property
    def message(self) -> str:
        """Why the run ended, in a sentence."""
        return self.words.message

    @property
    def advice(self) -> tuple[str, ...]:
        """What to try next, in sentences."""
        return tuple(map(str, self.words.findings))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the run shows of itself, each with a name, a sentence and a cure."""
        return self.words.findings

    @functools.cached_property
    def best(self) -> Point:
        """The lowest point seen. Found by replaying one chunk where it is not the last point."""
        return self.later.best()

    @functools.cached_property
    def name(self) -> str:
        """The method's name."""
        return self.later.name()

    @functools.cached_property
    def config(self) -> dict:
        """The run as JSON can hold it: method, stop rule, seed and options."""
        return self.later.config()

    @property
    def value(self) -> float:
        """The objective at `x`."""
        return self.row("value")

    @property
    def optimality(self) -> float:
        """The first-order residual at `x`."""
        return self.row("optimality")

    @property
    def infeasibility(self) -> float:
        """The largest violation of a constraint at `x`."""
        return self.row("infeasibility")

    def row(self, field: str) -> float:
        """A number of the trace row that describes `x`."""
        column, row = getattr(self.trace, field), self.kept - self.first_step
        row = row if self.whole else min(row, len(column) - 1)
        return float(column[row]) if 0 <= row < len(column) else float("nan")

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The summary, line by line."""
        rows = self.table()
        width = max(len(name) for name, _ in rows) + 1
        out = [f"{self.status.name} after {plural(self.steps, 'step')}: {self.message}"]
        out += [f"  {name:<{width}}{text}" for name, text in rows]
        for advice in self.advice:
            out += textwrap.wrap(
                advice, 100, initial_indent=f"  {'next':<{width}}", subsequent_indent=" " * (width + 2)
            )
        return out

    def table(self) -> list[tuple[str, str]]:
        """Name and text of each line of the summary."""
        rows = [("value", self.change("value") + ("" if self.whole else " on its batch"))]
        if self.whole or not np.isnan(self.trace.optimality).all():
            rows.append(("optimality", self.change("optimality")))
        if np.any(self.trace.infeasibility > 0):
            rows.append(("infeasible", self.change("infeasibility")))
        rows += self.held_out()
        if self.restarts is not None:
            rows.append(("restarts", spread(self.restarts.values)))
        if self.kept < self.first_step + len(self.trace.value) - (1 if self.whole else 0) and not self.status.failed:
            rows.append(("kept", f"the point of step {self.kept}, the best of the run"))
        if self.skipped:
            steps = ", ".join(map(str, self.skipped[:LISTED])) + (", ..." if len(self.skipped) > LISTED else "")
            rows.append(("skipped", f"{plural(len(self.skipped), 'step')} with numbers that are not finite: {steps}"))
        if self.average is not None:
            rows.append(("average", "of the iterates: in .average"))
        rows.append(("evaluations", count(self.evals)))
        rows.append(("time", f"{duration(self.seconds.compile)} to compile, {duration(self.seconds.run)} to run"))
        rows.append(("method", self.reason or self.name))
        return rows

    def held_out(self) -> list[tuple[str, str]]:
        """The lines of the validation: the numbers at the start and at `x`, and the lowest value elsewhere."""
        if self.validation is None or not len(self.validation.step):
            return []
        steps, values, metrics = self.validation
        at = int(np.argmin(np.abs(steps - self.kept)))
        text = f"{values[0]:.6g} -> {values[at]:.6g}"
        signed, word = (-values, "highest") if self.maximize else (values, "lowest")
        if np.isfinite(values).any() and (best := int(np.nanargmin(signed))) != at:
            text += f" ({word} {values[best]:.6g} at step {steps[best]})"
        return [("validation", text)] + [(name, f"{v[0]:.4g} -> {v[at]:.4g}") for name, v in metrics.items()]

    def change(self, field: str) -> str:
        """First and last number of a trace column."""
        column = getattr(self.trace, field)
        if not len(column):
            return "not measured"
        if np.isnan(column).all() and not self.status.failed:
            return "not measured by this method"
        return f"{column[0]:.6g} -> {self.row(field):.6g}"


def plural(n: int, thing: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def count(evals: Evals) -> str:
    """The oracles that were called, in words."""
    names = {
        "value": "value",
        "gradient": "gradient",
        "hvp": "Hessian product",
        "prox": "prox step",
        "examples": "example",
    }
    return ", ".join(plural(n, name) for field, name in names.items() if (n := getattr(evals, field))) or "none"


def spread(values: np.ndarray) -> str:
    """The final values of all lanes, in a line."""
    finite = values[~np.isnan(values)]
    if not len(finite):
        return f"{len(values)}, none of which reached a finite value"
    lost = f", {len(values) - len(finite)} lost" if len(finite) < len(values) else ""
    return f"{len(values)}: {finite.min():.6g} best, {np.median(finite):.6g} median, {finite.max():.6g} worst{lost}"


def duration(seconds: float) -> str:
    """A time in the unit that fits."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes} min {whole} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class MinimizeError(RuntimeError):
    """A run that failed under `on_failure="raise"`; `result` holds everything that was computed."""

    def __init__(self, result: Any):
        self.result = result

    def __str__(self) -> str:
        return self.result.lines()[0]
