"""What happens between chunks: functions of an `Event`."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.core.solver import Solver
from thalweg.core.trace import Trace
from thalweg.core.types import Params


class Event(NamedTuple):
    """The run as a callback sees it after `step` completed steps.

    - `x`: the current point, a tree like `x0`. `solver`: the method with its current hyperparameters.
    - `trace`: the rows of the steps since the last chunk. `validation`: the latest validation value and metrics.
    - `seconds`: wall time since the start, compilation included. `final`: true once, after the last step.
    """

    step: int
    epoch: float | None
    x: Params
    solver: Solver
    trace: Trace
    validation: dict[str, float]
    seconds: float
    final: bool


Callback = Callable[[Event], Any]
"""Returns None to go on, `"stop"` to end the run, or a solver with other hyperparameters to go on with."""


class Every:
    """Calls `callback` after every `steps` steps; a bare function is called after every step."""

    def __init__(self, steps: int, callback: Callback):
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"Every(steps={steps!r}): steps must be a whole number >= 1.")
        self.every, self.callback = steps, callback

    def __call__(self, event: Event) -> Any:
        """The inner callback's answer."""
        return self.callback(event)


class Progress:
    """A line in the terminal that shows the run as it goes; silent where the output is not a terminal.

    It is refreshed between chunks, a few times a second, and does not change where the chunks are cut.
    Needs the `cli` extra (rich).
    """

    every = None

    def __init__(self, *, terminal: bool | None = None):
        self.terminal = sys.stderr.isatty() if terminal is None else terminal
        self._live: Any = None

    def __call__(self, event: Event) -> None:
        """Show the last row of the trace."""
        if not self.terminal:
            return
        if self._live is None:
            self._live = open_live()
        self._live.update(self.text(event), refresh=True)
        if event.final:
            self._live.stop()
            self._live = None

    def text(self, event: Event) -> str:
        """The line."""
        parts = [f"step {event.step}"]
        if len(event.trace.value):
            parts += [f"value {event.trace.value[-1]:.6g}", f"optimality {event.trace.optimality[-1]:.3g}"]
        parts += [f"{name} {value:.4g}" for name, value in event.validation.items()]
        return "  ".join([*parts, f"{event.seconds:.1f} s"])


def open_live() -> Any:
    """Rich's live display on the error stream."""
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError as error:
        raise ImportError('tw.Progress() needs rich: pip install "thalweg[cli]".') from error
    live = Live(console=Console(stderr=True), auto_refresh=False, transient=False)
    live.start()
    return live


def period(callback: Callback) -> int | None:
    """Steps between two calls; None for a callback that is content with any moment."""
    return getattr(callback, "every", 1)
