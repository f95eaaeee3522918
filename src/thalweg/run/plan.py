"""What was asked for, and the plan of a checked run: what runs that are alike share."""

from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.core.average import Average
from thalweg.core.batches import Batches
from thalweg.core.duration import length as duration
from thalweg.core.iterate import Carry
from thalweg.core.problem import Problem
from thalweg.core.solver import Samples, Solver
from thalweg.core.stop import Epochs, Steps, Stop
from thalweg.core.types import Params
from thalweg.run.observe.callbacks import Callback
from thalweg.run.periods import EpochLength, Period, period
from thalweg.run.programs import Programs, Task

_VALIDATE_EVERY = 10
"""Steps between validations on whole data."""
_STREAM_PERIOD = 100
"""Steps that stand for an epoch where an iterator has none."""


class Request(NamedTuple):
    """What `minimize` was asked for, beside the problem and the start."""

    method: Any = None
    stop: Stop | None = None
    model_state: Any = None
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


class Cadence(NamedTuple):
    """When a run is looked at, and how long it is.

    - `validation`, `protection`: periods of the validations, and of the points to go back to without them.
    - `callbacks`: the period of a callback that names none.
    - `length`: the most steps of the run; None where it is not known.
    """

    validation: Period
    protection: Period
    callbacks: Any
    length: float | None


class Plan(NamedTuple):
    """A checked run but for the numbers of one call (start, seed, clock): runs alike share it.

    - `problem`: the user's; `task`: what is compiled of it; `frozen`: the leaves of `x0` that are held fixed.
    - `name`: a call gives that of the method; `reason`: why it was chosen, None where the user did; `default_limit`:
      whether the step limit was the library's own.
    - `whole`: whether every step sees the same data. `epoch`: the length of a pass over the data.
    - `cadence`: when a run is looked at. `programs`: those of the runs so far, at most one entry.
    """

    problem: Problem
    task: Task
    frozen: Any
    name: Callable[[], str]
    reason: str | None
    default_limit: bool
    whole: bool
    epoch: EpochLength
    cadence: Cadence
    programs: list[Programs]

    def programs_for(self, seed: Any, x: Params, stack: Any = None) -> Programs:
        """The programs of this plan, made at its first run; those of a stream depend on its batches."""
        if stack is not None:
            return Programs(self.task, seed, x, stack)
        if not self.programs:
            self.programs.append(Programs(self.task, seed, x))
        return self.programs[0]


def cadence(problem: Problem, stop: Stop, epoch: EpochLength, request: Request) -> Cadence:
    """When a run is looked at: once an epoch on batches, once in so many steps on whole data, unless said otherwise."""
    on_batches = not problem.whole
    once = problem.stream is not None and problem.stream.once
    pass_over = Steps(_STREAM_PERIOD) if once else Epochs(1)
    default = pass_over if on_batches else _VALIDATE_EVERY
    validation = default if request.validate_every is None else request.validate_every
    return Cadence(
        period("validate_every", validation, epoch),
        period("on_nonfinite", pass_over if on_batches else 1, epoch),
        pass_over if on_batches else 1,
        duration(stop, epoch.steps),
    )


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
