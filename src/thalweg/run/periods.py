"""When something is due: periods in steps or in passes over the data."""

import math
from typing import Any, NamedTuple

from thalweg.core.stop import SLACK, Epochs, Steps


class Position(NamedTuple):
    """Where a run stands: steps made, passes completed, and whether one of them was completed just now."""

    step: int
    epoch: int
    between: bool


class Period(NamedTuple):
    """When multiples of `steps` are reached; or, where no pass of a stream has a known length, every so many passes.

    Between whole steps a multiple is reached at the next one.
    """

    steps: float | None
    epochs: int | None = None

    def due(self, at: Position) -> bool:
        """Whether it is time."""
        if self.steps is not None:
            return self.left(Position(at.step - 1, 0, False)) == 1
        return at.between and at.epoch % (self.epochs or 1) == 0

    def left(self, at: Position) -> int | None:
        """Steps until it is time; None where only the end of a pass will tell (a chunk never goes beyond it)."""
        if self.steps is None:
            return None
        multiple = math.floor((at.step + SLACK) / self.steps) + 1
        return math.ceil(multiple * self.steps - SLACK) - at.step


class EpochLength(NamedTuple):
    """How long a pass lasts, in steps (None: unknown), and whether its end is seen only when it comes."""

    steps: float | None
    streamed: bool


def period(name: str, every: Any, length: EpochLength) -> Period:
    """The period that `every` means: whole steps, `tw.Steps(n)` or `tw.Epochs(n)`."""
    if isinstance(every, Epochs):
        if length.streamed and every.count == int(every.count):
            return Period(None, int(every.count))
        if length.steps is None:
            cure = ", or tw.Stream(source, steps_per_epoch=n)" if length.streamed else ""
            raise ValueError(f"{name}={every!r} needs to know how long an epoch is: give whole steps{cure}.")
        return Period(every.count * length.steps)
    count = every.count if isinstance(every, Steps) else every
    if isinstance(count, bool) or not isinstance(count, (int, float)) or count < 1 or count != int(count):
        raise ValueError(f"{name}={every!r}: give whole steps >= 1 or tw.Epochs(n).")
    return Period(int(count))
