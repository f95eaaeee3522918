"""A bar in the terminal that shows a run as it goes."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.core.stop import Seconds
from thalweg.core.trace import Trace
from thalweg.run.observe.callbacks import Event

_REFRESH = 0.1
"""Seconds between two updates of the numbers."""
_SMOOTHING = 0.3
"""Weight of the latest interval in the pace: a few of them count, so that it neither flickers nor lags."""
_BAR, _CLOCK = 12, 7
"""Columns of the bar, and of the time since the start."""
_NARROW = 60
"""Columns below which the numbers need the room of the bar."""


class Progress:
    """A bar with the numbers of the run: `callbacks=[tw.Progress()]`. Needs the `cli` extra (rich).

    Silent where the error stream is not a terminal. It is there from the first moment, while the program is compiled,
    changes between chunks, at most ten times a second, does not change where they are cut, and leaves the terminal in
    order whatever happens. In a narrow terminal it leaves out the numbers for which there is no room.

    It shows the step, the epoch, the value (where every step sees other data the mean since the last change, and it
    says so), the latest validation, the optimality where it is measured, the time left to the step limit, the step
    size (of a rule: the learning rate) and the pace.

    - `terminal`: show it or not; None to look at the error stream.
    """

    every = Seconds(_REFRESH)

    def __init__(self, *, terminal: bool | None = None):
        self.terminal = _is_terminal(sys.stderr) if terminal is None else terminal
        self._bar: Any = None
        self._pace = Pace()
        self._trace: Trace | None = None

    def open(self) -> None:
        """Shows the bar at its start."""
        if not self.terminal or self._bar is not None:
            return
        self._pace, self._trace = Pace(), None
        bar = new_bar()
        with self.given_up_if_lost():
            bar.start()
            bar.add_task("", total=None, text="compiling")
            self._bar = bar

    def close(self) -> None:
        """Leaves the bar where it stands and gives the terminal back."""
        bar, self._bar = self._bar, None
        if bar is not None:
            with self.given_up_if_lost():
                bar.stop()

    def __call__(self, event: Event) -> None:
        """Shows where the run stands."""
        self.open()
        if self._bar is None:
            return
        self._pace.learn(event)
        if len(event.trace.value):  # the last call may bring no new rows
            self._trace = event.trace
        total = event.step if event.final else event.length
        with self.given_up_if_lost():
            text = fit(self.parts(event), self._bar.console.width)
            self._bar.update(self._bar.task_ids[0], completed=event.step, total=total, text=text)

    def parts(self, event: Event) -> Iterator[str]:
        """The numbers beside the bar, the most important ones first."""
        if event.epoch is None or event.whole:
            yield f"step {event.step}{_out_of(event.length)}"
        else:
            yield f"step {event.step}"
            yield f"epoch {event.epoch:.3g}{_out_of(_epochs_of(event))}"
        yield from _value_text(self._trace, event.whole)
        held_out = dict(event.validation)
        if "validation_value" in held_out:
            yield f"validation {held_out.pop('validation_value'):.4g}"
        for name, number in held_out.items():
            yield f"{name.removeprefix('validation_')} {number:.4g}"
        yield from _last_measured("optimality", self._trace, "optimality")
        if not event.final:
            yield from self._pace.left(event)
        yield from _last_measured("step size", self._trace, "step_size")
        yield from self._pace.text()

    @contextlib.contextmanager
    def given_up_if_lost(self) -> Iterator[None]:
        """A terminal that goes away takes the bar with it, and not the run."""
        try:
            yield
        except OSError:
            self.terminal, self._bar = False, None


class Pace:
    """Steps a second from one change of the numbers to the next, smoothed; what comes before the first is compiling."""

    def __init__(self):
        self.rate: float | None = None
        self.step, self.seconds = 0, None

    def learn(self, event: Event) -> None:
        """Takes the interval since the last change into account."""
        if self.seconds is not None and event.seconds > self.seconds:
            latest = (event.step - self.step) / (event.seconds - self.seconds)
            self.rate = latest if self.rate is None else (1 - _SMOOTHING) * self.rate + _SMOOTHING * latest
        self.step, self.seconds = event.step, event.seconds

    def left(self, event: Event) -> Iterator[str]:
        """The time until the run's longest possible end."""
        if event.length is not None and self.rate:
            yield f"{clock(max(event.length - event.step, 0) / self.rate)} left"

    def text(self) -> Iterator[str]:
        """The pace in words, steps per second or seconds per step."""
        if self.rate is not None:
            yield f"{self.rate:,.0f} steps/s" if self.rate >= 100 else f"{self.rate:.2g} steps/s"


def _value_text(trace: Trace | None, whole: bool) -> Iterator[str]:
    """The last value, or the mean of the finite ones where every step sees other data."""
    if whole or trace is None:
        yield from _last_measured("value", trace, "value", digits=5)
    elif np.isfinite(trace.value).any():
        yield f"mean value {trace.value[np.isfinite(trace.value)].mean():.4g}"


def _last_measured(name: str, trace: Trace | None, field: str, digits: int = 2) -> Iterator[str]:
    """The last number of a column, where it is measured."""
    number = math.nan if trace is None else float(getattr(trace, field)[-1])
    if not math.isnan(number):
        yield f"{name} {number:.{digits}g}"


def _epochs_of(event: Event) -> float | None:
    """The most passes over the data that the run can make."""
    if event.length is None or event.steps_per_epoch is None:
        return None
    return event.length / event.steps_per_epoch


def _out_of(most: float | None) -> str:
    """`/20`, where there is a limit."""
    return "" if most is None else f"/{most:g}"


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `2:03:04`."""
    minutes, whole = divmod(math.ceil(min(seconds, 1e7)), 60)
    return f"{minutes}:{whole:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{whole:02}"


def fit(parts: Iterator[str], width: int) -> str:
    """As many of the parts as a terminal of this width has room for beside the time and the bar; the first always."""
    room = width - _CLOCK - 1 - (_BAR + 1 if width >= _NARROW else 0)
    text = next(parts)
    for part in parts:
        if len(text) + 2 + len(part) > room:
            break
        text += f"  {part}"
    return text


def _is_terminal(stream: Any) -> bool:
    """Whether somebody looks at a stream; a closed one, or none, has nobody."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def new_bar() -> Any:
    """Rich's display on the error stream: the time, a bar, the numbers."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
        from rich.table import Column
    except ImportError as error:
        raise ImportError('tw.Progress() needs rich: pip install "thalweg[cli]".') from error
    console = Console(stderr=True)
    bar = [BarColumn(bar_width=_BAR, table_column=Column(width=_BAR))] if console.width >= _NARROW else []
    columns = (
        TimeElapsedColumn(table_column=Column(width=_CLOCK)),
        *bar,
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="crop")),
    )
    # What the user prints while the bar is shown goes above it, but for what goes to a file.
    return Bar(*columns, console=console, refresh_per_second=5, expand=True, redirect_stdout=_is_terminal(sys.stdout))
