"""What happens between chunks: functions of an `Event`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from thalweg.core.solver import Solver
from thalweg.core.stop import Epochs, Seconds, Steps
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.run.periods import EpochLength, Period, Position, period
from thalweg.run.result import Validation


class Event(NamedTuple):
    """The run as a callback sees it after `step` completed steps.

    - `epoch`: passes over the data; None without data. `x`: the current point, a tree like `x0`.
    - `solver`: the method with its current hyperparameters. `whole`: whether every step sees the same data.
    - `trace`: the rows since this callback's last call; the first one is that of step `first_row`.
    - `validation`: the latest validation value and metrics. `validations`: all since this callback's last call, with
      their steps; None without validation data.
    - `seconds`: wall time, compilation included.
    - `length`: the most steps that the run can take; `steps_per_epoch`: those of a pass over the data. None where they
      are not known.
    - `final`: true once, after the last step.
    """

    step: int
    epoch: float | None
    x: Params
    solver: Solver
    whole: bool
    first_row: int
    trace: Trace
    validation: dict[str, float]
    validations: Validation | None
    seconds: float
    length: float | None
    steps_per_epoch: float | None
    final: bool


Callback = Callable[[Event], Any]
"""Returns None to go on, `"stop"` to end the run, or a solver with other hyperparameters to go on with.

A callback with an attribute `every` says itself when it is called: steps, `tw.Epochs(n)`, `tw.Seconds(n)`, or None for
whenever the driver looks. One with `open()` and `close()` has them called before the first step and after the last,
whatever happens in between.
"""


class Every:
    """Calls `callback` once in so many steps, epochs or seconds: `Every(100, f)`, `Every(tw.Epochs(1), f)`.

    A bare function is called after every step on whole data, and after every epoch on batches. What is called once in
    `tw.Seconds(n)` waits for the end of a chunk, does not change where chunks are cut, and is called at the end too.
    """

    def __init__(self, every: Any, callback: Callback):
        count = every.count if isinstance(every, (Epochs, Steps)) else every
        whole = isinstance(count, (int, float)) and not isinstance(count, bool) and count == int(count)
        if not isinstance(every, (Epochs, Seconds)) and not (whole and count >= 1):
            raise ValueError(f"Every(every={every!r}): give whole steps >= 1, tw.Epochs(n) or tw.Seconds(n).")
        self.every, self.callback = every, callback

    def __call__(self, event: Event) -> Any:
        """The inner callback's answer."""
        return self.callback(event)

    def open(self) -> None:
        """Opens the inner callback, if it can be."""
        getattr(self.callback, "open", lambda: None)()

    def close(self) -> None:
        """Closes the inner callback, if it can be."""
        getattr(self.callback, "close", lambda: None)()


class Observer(NamedTuple):
    """A callback in a run, and when it is due: at its `period` in steps or epochs, or else `pause` seconds later."""

    callback: Callback
    period: Period | None
    pause: float

    def due(self, at: Position, since: float, final: bool) -> bool:
        """Whether it is time, so many seconds after its last call; one with a period is not called after the end."""
        if self.period is not None:
            return not final and self.period.due(at)
        return final or since >= self.pause


def observe(callbacks: Sequence[Callback], default: Any, length: EpochLength) -> list[Observer]:
    """The observers of a run; a callback without a period of its own has the default one."""
    out = []
    for callback in callbacks:
        every = getattr(callback, "every", default)
        clocked = every is None or isinstance(every, Seconds)
        pause = float(every.seconds) if isinstance(every, Seconds) else 0.0
        out.append(Observer(callback, None if clocked else period("Every", every, length), pause))
    return out
