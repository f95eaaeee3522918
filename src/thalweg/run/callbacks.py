"""What happens between chunks: functions of an `Event`."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from thalweg.core.solver import Solver
from thalweg.core.stop import Epochs, Steps
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.run.calendar import EpochLength, Period, period


class Event(NamedTuple):
    """The run as a callback sees it after `step` completed steps.

    - `epoch`: passes over the data; None without data. `x`: the current point, a tree like `x0`.
    - `solver`: the method with its current hyperparameters.
    - `trace`: the rows since this callback's last call; the first one is that of step `first_row`.
    - `validation`: the latest validation value and metrics. `seconds`: wall time, compilation included.
    - `length`: the most steps that the run can take, None where it is not known.
    - `final`: true once, after the last step.
    """

    step: int
    epoch: float | None
    x: Params
    solver: Solver
    first_row: int
    trace: Trace
    validation: dict[str, float]
    seconds: float
    length: float | None
    final: bool


Callback = Callable[[Event], Any]
"""Returns None to go on, `"stop"` to end the run, or a solver with other hyperparameters to go on with."""


class Every:
    """Calls `callback` once in so many steps, or epochs: `Every(100, f)`, `Every(tw.Epochs(1), f)`.

    A bare function is called after every step on whole data, and after every epoch on batches.
    """

    def __init__(self, every: Any, callback: Callback):
        count = every.count if isinstance(every, (Epochs, Steps)) else every
        whole = isinstance(count, (int, float)) and not isinstance(count, bool) and count == int(count)
        if not isinstance(every, Epochs) and not (whole and count >= 1):
            raise ValueError(f"Every(every={every!r}): give whole steps >= 1 or tw.Epochs(n).")
        self.every, self.callback = every, callback

    def __call__(self, event: Event) -> Any:
        """The inner callback's answer."""
        return self.callback(event)


@dataclasses.dataclass
class Observer:
    """A callback in a run: when it is due (None: at any moment), and the step up to which it has seen the trace."""

    callback: Callback
    period: Period | None
    shown: int


def observe(callbacks: Sequence[Callback], default: Any, length: EpochLength, first_step: int) -> list[Observer]:
    """The observers of a run; a callback without a period of its own has the default one."""
    out = []
    for callback in callbacks:
        every = getattr(callback, "every", default)
        due = None if every is None else period("Every", every, length)
        out.append(Observer(callback, due, first_step))
    return out


class Progress:
    """A bar in the terminal that shows the run as it goes; silent where the error stream is not a terminal.

    It is refreshed between chunks, a few times a second, and does not change where the chunks are cut. As a context
    manager it is there from the first moment, while the program is compiled, and leaves the terminal in order
    whatever happens. Needs the `cli` extra (rich).

    - `steps`: the most steps that the run can take, the length of the bar; None for a bar without an end.
    - `terminal`: show it or not; None to look at the error stream.
    """

    every = None

    def __init__(self, steps: float | None = None, *, terminal: bool | None = None):
        self.steps = steps
        self.terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: Any = None
        self._shown = -REFRESH

    def __enter__(self) -> "Progress":
        self.open()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def open(self) -> None:
        """Shows the bar at its start; done by the first call too."""
        if self.terminal and self._bar is None:
            self._bar = open_bar()
            self._bar.add_task("", total=self.steps, text="compiling")
            self._shown = -REFRESH

    def close(self) -> None:
        """Leaves the bar where it stands and gives the terminal back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __call__(self, event: Event) -> None:
        """Shows the last row of the trace."""
        if not self.terminal:
            return
        self.open()
        if event.final or event.seconds - self._shown >= REFRESH:
            self._shown = event.seconds
            total = event.step if event.final else self.steps
            self._bar.update(self._bar.task_ids[0], completed=event.step, total=total, text=self.text(event))
        if event.final:
            self.close()

    def text(self, event: Event) -> str:
        """The numbers beside the bar."""
        parts = [f"step {event.step}"]
        if len(event.trace.value):
            parts.append(f"value {event.trace.value[-1]:.5g}")
        held_out = dict(event.validation)
        if "validation_value" in held_out:
            parts.append(f"validation {held_out.pop('validation_value'):.4g}")
        parts += [f"{name.removeprefix('validation_')} {value:.4g}" for name, value in held_out.items()]
        if len(event.trace.optimality) and not np.isnan(event.trace.optimality[-1]):
            parts.append(f"optimality {event.trace.optimality[-1]:.2g}")
        return "  ".join(parts)


REFRESH = 0.1
"""Seconds between two updates of the bar."""


def open_bar() -> Any:
    """Rich's progress display on the error stream: the time, a bar, the numbers."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
        from rich.table import Column
    except ImportError as error:
        raise ImportError('tw.Progress() needs rich: pip install "thalweg[cli]".') from error
    columns = (
        TimeElapsedColumn(table_column=Column(width=7)),
        BarColumn(bar_width=12, table_column=Column(width=12)),
        TextColumn(
            "{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        ),
    )
    bar = Bar(*columns, console=Console(stderr=True), refresh_per_second=5, expand=True)
    bar.start()
    return bar
