"""Everything that changes while a run goes on, in one value: a run that has it goes on as if nothing had happened."""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Stop
from thalweg.core.types import Params
from thalweg.run.ledger import Ledger
from thalweg.run.result import Validation


class DataPlace(NamedTuple):
    """Where a run stands in a stream: steps made, passes completed, and the step at which the current pass began."""

    step: int = 0
    epoch: int = 0
    since: int = 0


class ValidatedPoint(NamedTuple):
    """The point with the lowest validation value."""

    x: Params
    model_state: Any
    step: int
    value: float


@dataclasses.dataclass
class Validations:
    """What was measured on held-out data so far, in the values that are minimized, and the lowest point.

    - `steps`: of the validations. `rows`: the validation loss under the name `value`, and every metric. `sign`: -1
      where the user maximizes.
    """

    sign: int = 1
    steps: list[int] = dataclasses.field(default_factory=list)
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best: ValidatedPoint | None = None

    @property
    def latest(self) -> float:
        """The latest validation value; infinity before the first."""
        return self.rows[-1]["value"] if self.rows else math.inf

    @property
    def latest_step(self) -> int:
        """The step of the latest validation; -1 before the first."""
        return self.steps[-1] if self.steps else -1

    def add(self, row: dict[str, float], x: Params, step: int, model_state: Any) -> bool:
        """Notes one validation; returns whether it is the lowest so far."""
        self.rows.append(row)
        self.steps.append(step)
        if self.best is not None and not (self.latest < self.best.value or math.isnan(self.best.value)):
            return False
        self.best = ValidatedPoint(x, model_state, step, self.latest)
        return True

    def latest_row(self) -> dict[str, float]:
        """The latest numbers, named and signed as the user sees them."""
        if not self.rows:
            return {}
        row = self.rows[-1] | {"value": self.sign * self.latest}
        return {f"validation_{name}": number for name, number in row.items()}

    def table(self, since: int = 0) -> Validation:
        """Everything measured, or only what came after the first `since` validations, in the user's sign."""
        rows = self.rows[since:]
        names = [name for name in (self.rows[0] if self.rows else {}) if name != "value"]
        columns = {name: np.array([row[name] for row in rows]) for name in names}
        values = np.array([self.sign * row["value"] for row in rows])
        return Validation(np.array(self.steps[since:], int), values, columns)


@dataclasses.dataclass
class Recovered:
    """What was done after steps whose numbers were not finite.

    - `dropped`: those steps. `safe`: the carry to go back to, None for the start. `tries`: returns to it, or drops in
      a row.
    """

    dropped: list[int] = dataclasses.field(default_factory=list)
    safe: Carry | None = None
    tries: int = 0

    def protect(self, carry: Carry | None) -> None:
        """Remembers where to go back to; None is the start."""
        self.safe, self.tries = carry, 0


@dataclasses.dataclass
class Shown:
    """What a callback has seen: the trace up to step `trace`, so many `validations`, last called after `seconds`."""

    trace: int
    validations: int = 0
    seconds: float = -math.inf


@dataclasses.dataclass
class RunState:
    """All that changes in a run.

    - `solver`: the method with its present numbers, which a callback may change.
    - `carry`: of the loop, None before the start. `step`: steps made. `seconds`: that the run has lasted.
    - `ledger`: rows and lowest point. `validations`, `recovered`, `place` in the data: see there.
    - `shown`: what each callback has seen.
    - `status`: whether and why the run has ended; `verdict`: the status that the loop itself gave, and `rule`: the
      stop rule that fired, where it is known.
    """

    solver: Solver
    carry: Carry | None = None
    step: int = 0
    seconds: float = 0.0
    ledger: Ledger = dataclasses.field(default_factory=Ledger)
    validations: Validations = dataclasses.field(default_factory=Validations)
    recovered: Recovered = dataclasses.field(default_factory=Recovered)
    place: DataPlace = dataclasses.field(default_factory=DataPlace)
    shown: list[Shown] = dataclasses.field(default_factory=list)
    status: Status = Status.RUNNING
    verdict: Status = Status.RUNNING
    rule: Stop | None = None
